"""What has the network learned? Inputs are searched that make it say something.

objectives.py    what a search climbs: f(x) and ∂f/∂x; sums of them; f through a network
transformations.py  what is drawn anew for every step
ascent.py        the search
"""

"""The site: `python -m sphinx -W lessons site`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "nnlite"
copyright = "the nnlite authors"
extensions = ["myst_nb", "mathml", "api"]
exclude_patterns = ["exercises", ".executed", "figures", "*.ipynb"]
root_doc = "README"

nb_custom_formats = {".md": ["executed.page", {}]}
nb_execution_mode = "off"  # executed.py has done it
nb_merge_streams = True  # what a fence prints is one block, however slowly it prints
myst_enable_extensions = ["dollarmath", "amsmath", "smartquotes"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

html_theme = "furo"
html_title = "nnlite"
html_static_path = ["static"]
html_extra_path = ["index.html"]  # leads to README.html
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

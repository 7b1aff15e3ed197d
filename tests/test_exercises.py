"""The exercises: every solution is right, every usual mistake is caught and named, every stub is still to be done."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnlite.exercises import check, exercises, hint, solution
from nnlite.exercises.exercise import exercise
from nnlite.exercises.verdict import judge

pytestmark = pytest.mark.once  # see setup.cfg

FOLDER = Path(__file__).parents[1] / "lessons" / "exercises"
ALL = exercises()
every_exercise = pytest.mark.parametrize("name", ALL)


def given(exercise, answer):
    """What a learner would give to check."""
    return answer() if exercise.value else answer


@every_exercise
def test_the_solution_is_right(name):
    verdict = check(name, given(ALL[name], ALL[name].answer))
    assert verdict, verdict
    assert str(verdict) == f"{name}: right."


@every_exercise
def test_the_usual_mistakes_are_caught_and_named(name):
    exercise = ALL[name]
    with np.errstate(all="ignore"):
        advice = list(exercise.wrong(exercise.cases[0]))
        assert len(advice) >= 3
        for says in advice:
            verdict = check(name, given(exercise, lambda *case, says=says: exercise.wrong(case)[says]))
            assert not verdict
            assert says in str(verdict)
            assert re.search(r"nnlite has|expected|stopped with|changes the array|returns nothing", str(verdict))


@every_exercise
def test_an_exercise_has_a_question_and_hints(name):
    exercise = ALL[name]
    assert exercise.question.endswith(("?", ".", ")"))
    assert len(exercise.hints) >= 2
    assert hint(name) == f"1. {exercise.hints[0]}"
    assert hint(name, len(exercise.hints)).count("\n") >= len(exercise.hints) - 1
    assert "def " in solution(name)
    assert '"""' not in solution(name)


@every_exercise
def test_an_exercise_stands_in_its_lesson(name):
    lesson = next(FOLDER.parent.glob(f"{ALL[name].lesson:02d}-*.md"))
    assert f'check("{name}", ' in lesson.read_text()
    stubs = next(FOLDER.glob(f"test_{ALL[name].lesson:02d}_*.py"))
    assert f'check("{name}", ' in stubs.read_text()


def test_there_are_many():
    assert len(ALL) >= 40
    named = re.findall(r'check\("(\w+)", ', "".join(path.read_text() for path in FOLDER.parent.glob("[0-9][0-9]-*.md")))
    assert sorted(named) == sorted(ALL)


def test_every_stub_is_still_to_be_done():
    """What `pytest lessons/exercises` shows to a learner who begins."""
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(FOLDER)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert re.search(rf"{len(ALL)} failed(?!.*passed)", found.stdout.splitlines()[-1]), found.stdout[-2000:]
    assert found.stdout.count("nothing is there yet") >= len(ALL)
    failed = re.findall(r"^FAILED .*::test_(\w+)", found.stdout, re.M)
    assert failed == list(ALL), "in the order of the lessons"


# ------------------------------------------------------------------------------------------------ the verdict


@exercise([(np.array([1.0, 2.0]),), (np.array([[0.0, -3.0]]),)])
def double(a):
    """2 a?

    1. Add it to itself.
    """
    return 2 * a


double.mistakes = lambda answer, a: {"You squared it.": a * a}


def in_place(a):
    a *= 2
    return a


def fails(a):
    raise KeyError("z")


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (lambda a: a + 1, r"case 1: at index 1 you have 3, nnlite has 4 \(1 of 2 numbers differ\)"),
        (lambda a: a * a, "You squared it"),
        (lambda a: 2 * a[0], r"expected an array of shape \(2,\), got 2.0"),
        (lambda a: 2 * a[None], r"expected an array of shape \(2,\), got an array of shape \(1, 2\)"),
        (lambda a: None, "returns nothing"),
        (lambda a: "two", r"expected an array of shape \(2,\), got 'two'"),
        (lambda a: [1, [2, 3]], r"got \[1, \[2, 3\]\]"),
        (lambda a: [10**400, 1], r"expected an array of shape \(2,\), got \[1000.*\.\.\..*, 1\]"),
        (lambda a: 2 * a + 0j, r"got an array of shape \(2,\), complex128"),
        (lambda a: 2 * a * np.nan, "you have nan, nnlite has 2"),
        (in_place, "changes the array"),
        (fails, r"stopped with KeyError: 'z', in line \d+: raise KeyError\(\"z\"\)"),
        (lambda: 2, "stopped with TypeError: .* takes 0 positional arguments"),
        (3.0, "takes a function, got float"),
    ],
)
def test_what_a_wrong_answer_is_told(mine, says):
    verdict = judge(double, mine)
    assert not verdict
    assert re.search(says, str(verdict)), verdict
    assert 'hint("double")' in str(verdict)


@pytest.mark.parametrize("mine", [np.array(["a", "b"]), [1, [2, 3]], None, 3, b"input"])
def test_a_name_is_asked_for_and_something_else_comes(mine):
    verdict = check("first_to_part", lambda ours, theirs, tolerance: mine)
    assert re.search("you have .*, nnlite has 'relu1'|returns nothing", str(verdict))


def test_a_number_by_hand_that_is_rounded_is_told_so():
    assert "You rounded. Give more digits" in str(check("loss_by_hand", 1.386))
    assert "You rounded" in str(check("entropies_by_hand", [0, 1.386, 0.693]))
    assert "You rounded" not in str(check("loss_by_hand", 1.4))
    assert check("loss_by_hand", np.log(4))


def test_hints_and_solutions_are_shown_line_by_line():
    assert repr(hint("z_plus", 3)) == str(hint("z_plus", 3))
    assert repr(solution("z_plus")).count("\n") == 4


def test_rounding_is_forgiven():
    assert judge(double, lambda a: 2 * a * (1 + 1e-9))
    assert not judge(double, lambda a: 2 * a * (1 + 1e-6))


def test_an_exercise_that_does_not_exist():
    with pytest.raises(ValueError, match="There is no exercise 'lrp'; the names are "):
        check("lrp", 1)
    with pytest.raises(ValueError, match=r"There is no exercise \['z_plus'\]"):
        check(["z_plus"], 1)
    with pytest.raises(ValueError, match=r"has 2 hints: n takes 1 to 2, got 3"):
        hint("z_of_one_neuron", 3)

"""Tables in Markdown."""

import pytest

from deqir_lite._markdown import markdown_table


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (None, "| --- | --- | --- |"),
        (1, "| --- | ---: | ---: |"),
        (2, "| --- | --- | ---: |"),
        (0, "| ---: | ---: | ---: |"),
    ],
)
def test_columns_of_numbers_stand_to_the_right(texts, rule):
    table = markdown_table(["a", "b", "c"], [["x", "y", "1"], ["z", "", "22"]], texts)
    assert table.split("\n") == ["| a | b | c |", rule, "| x | y | 1 |", "| z |  | 22 |"]


def test_a_bar_inside_a_cell_does_not_end_it():
    assert markdown_table(["|e|"], [["a|b"]]) == "| \\|e\\| |\n| --- |\n| a\\|b |"


def test_rows_may_be_any_iterable():
    assert markdown_table(("a",), ((str(n),) for n in range(2))).endswith("| 0 |\n| 1 |")

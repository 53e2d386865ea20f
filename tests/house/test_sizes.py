from tests.house.tree import functions, shown, tracked

MODULE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70


def test_no_module_is_too_long_to_be_read_in_one_sitting():
    sizes = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in tracked(".py")}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen():
    too_long = [
        f"{shown(path)}:{function.lineno} {function.name}"
        for path in tracked(".py")
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert too_long == []

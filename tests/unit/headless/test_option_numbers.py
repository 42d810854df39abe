"""Every numeric option of every verb refuses what is no number, or an absurd one, in one sentence before anything runs."""

import argparse

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.commands import option_values
from reelpatch.headless.commands.main import BAD_INPUT, build_parser, main
from reelpatch.headless.models.device import choose_device


def numeric_options() -> list[tuple[str, str]]:
    (verbs,) = (
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return [
        (verb, action.option_strings[0])
        for verb, parser in verbs.choices.items()
        for action in parser._actions
        if action.option_strings and getattr(action.type, "__module__", "") == option_values.__name__
    ]


def test_no_option_has_a_number_of_pythons_own() -> None:
    (verbs,) = (
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    types = {action.type for parser in verbs.choices.values() for action in parser._actions}
    assert not types & {int, float}
    assert {"--fps", "--size", "--seed", "--when", "--vram"} <= {option for _, option in numeric_options()}


ABSURD = ("1e999", "nan", "inf", "-inf", "1e999999999", "9" * 5000, "", "1e30")
IN_FORMS = {
    "--size": ("99999999x16", f"16x{'9' * 5000}"),
    "--window": ("0,nan", "inf,1", "0,1e999"),
    "--fps": ("1/0", "1e5", f"1/{'9' * 5000}"),
    "--when": (f"0-{'9' * 5000}", "0-99999999"),
    "--lora": ("x:nan", "x:inf", f"x:{'9' * 5000}"),
    "--expand": (f"left={'9' * 400}",),
    "--vace-layers": (f"0,{'9' * 5000}",),
}


@pytest.mark.parametrize(("verb", "option"), numeric_options())
def test_absurd_numbers(verb: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    forms = IN_FORMS.get(option, ())
    for value in forms if option == "--lora" else (*ABSURD, *forms):  # any text may be a LoRA's file
        assert main([verb, f"{option}={value}"]) == BAD_INPUT
        said = capsys.readouterr().err
        assert f"argument {option}" in said
        assert said.count("\n") == 1
        assert len(said) < 400


@pytest.mark.parametrize(
    "name", ["meta", "mps", "cuda:99", "xpu", "hpu", "vulkan", "toaster", "", "cpu:x", "x" * 900]
)
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(BadInput, match="use cpu, cuda or auto") as error:
        choose_device(name)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 320

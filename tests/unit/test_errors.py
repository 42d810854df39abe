import pickle

from reelpatch.errors import BadInput


def as_option(setting: str) -> str:
    return f"--{setting}"


def test_each_host_spells_the_setting() -> None:
    error = BadInput("0 steps were asked for: use at least 1.", setting="steps")
    assert str(error) == "0 steps were asked for: use at least 1."
    assert error.naming(as_option) == "0 steps were asked for: use at least 1 (--steps)."
    assert error.naming(lambda _: "") == str(error)
    for none in ((), ""):
        assert BadInput("there is no clip.", setting=none).naming(as_option) == "there is no clip."


def test_several_settings_may_correct_it() -> None:
    error = BadInput("all is kept.", setting=("keep", "frames"))
    assert error.naming(as_option) == "all is kept (--keep, --frames)."
    assert error.naming(lambda one: one if one == "keep" else "") == "all is kept (keep)."


def test_it_goes_from_process_to_process_whole() -> None:
    error = pickle.loads(pickle.dumps(BadInput("no.", setting="fit")))
    assert (str(error), error.settings) == ("no.", ("fit",))

import pickle

from reelpatch.errors import BadInput


def test_the_option_is_for_the_command_line_alone() -> None:
    error = BadInput("0 steps were asked for: use at least 1.", option="--steps")
    assert str(error) == "0 steps were asked for: use at least 1."
    assert error.on_command_line() == "0 steps were asked for: use at least 1 (--steps)."
    assert BadInput("there is no clip.").on_command_line() == "there is no clip."


def test_it_goes_from_process_to_process_whole() -> None:
    error = pickle.loads(pickle.dumps(BadInput("no.", option="--fit")))
    assert (str(error), error.option) == ("no.", "--fit")

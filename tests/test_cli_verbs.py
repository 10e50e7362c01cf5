"""The command imports no more than the verb that is typed needs, and knows them all."""

import subprocess
import sys

import pytest

from mirror import cli

UNNEEDED = ("mirror.demo", "mirror.stores", "mirror.build", "asyncssh", "trafilatura")


def verbs_of(modules: list[str]) -> list[str]:
    [verbs] = [each for each in cli.parser(modules)._actions if each.choices]
    return list(verbs.choices or ())


@pytest.mark.parametrize("module", cli.VERBS)
def test_a_module_adds_the_verbs_that_the_table_says(module: str):
    assert verbs_of([module]) == list(cli.VERBS[module])


def test_no_verb_is_of_two_modules():
    verbs = [verb for verbs in cli.VERBS.values() for verb in verbs]

    assert len(verbs) == len(set(verbs)) == len(verbs_of(list(cli.VERBS)))


def test_the_help_knows_all_verbs(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["--help"])

    told = capsys.readouterr().out
    assert all(verb in told for verbs in cli.VERBS.values() for verb in verbs)


def test_a_verb_that_is_none_is_answered_with_all_that_are(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["make"])

    told = capsys.readouterr().err
    assert all(verb in told for verbs in cli.VERBS.values() for verb in verbs)


@pytest.mark.parametrize("verb", ["verify", "path", "hold"])
def test_a_verb_imports_nothing_that_it_does_not_need(verb: str):
    program = f"""if True:
        import sys
        from mirror import cli
        try:
            cli.main(["{verb}", "--help"])
        finally:
            print([name for name in {UNNEEDED} if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]", done.stdout

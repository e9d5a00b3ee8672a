"""Scripts written for elsewhere are fitted to the tenant's account, partitions and directories."""

import pytest

from gateway.directives import Directives, SiteRules, fit_to_site, parse_script

RULES = SiteRules(
    account="acme",
    partitions={"cpu": "cpu", "batch": "cpu", "gpu": "gpu"},
    default_partition="cpu",
    qos=frozenset({"normal"}),
    allowed_dirs=("/home/acme", "/scratch/acme/"),
)
STRICT = SiteRules(account="acme", partitions={"cpu": "cpu"}, default_partition="cpu", qos=frozenset(), strict=True)


def asked(*options: str) -> Directives:
    return parse_script(b"#!/bin/sh\n", options).directives


def test_what_fits_stays_without_a_word() -> None:
    fitted = fit_to_site(asked("-A", "acme", "-p", "gpu", "-q", "normal", "-o", "logs/%x-%j.out"), RULES)
    d = fitted.directives
    assert (d.account, d.partitions, d.qos, d.output) == ("acme", ("gpu",), "normal", "logs/%x-%j.out")
    assert (fitted.warnings, fitted.errors) == ((), ())


def test_nothing_asked_gives_the_defaults_without_a_word() -> None:
    fitted = fit_to_site(asked(), RULES)
    assert (fitted.directives.account, fitted.directives.partitions) == ("acme", ("cpu",))
    assert fitted.warnings == ()


def test_what_is_foreign_is_replaced_with_a_warning() -> None:
    fitted = fit_to_site(asked("-A", "m1234", "-p", "skylake", "-q", "regular"), RULES)
    d = fitted.directives
    assert (d.account, d.partitions, d.qos) == ("acme", ("cpu",), None)
    assert [str(warning) for warning in fitted.warnings] == [
        "job: --account=m1234: not your account — acme is used",
        "job: --partition=skylake: not here; there are batch, cpu, gpu — cpu is used",
        "job: --qos=regular: not one of yours — the default is used",
    ]


def test_in_strict_mode_the_same_are_errors() -> None:
    fitted = fit_to_site(asked("-A", "m1234", "-p", "skylake", "-q", "regular", "-o", "/elsewhere/x"), STRICT)
    assert fitted.warnings == ()
    assert [error.option for error in fitted.errors] == ["account", "partition", "qos", "output"]


def test_of_several_partitions_the_first_known_one_is_used() -> None:
    assert fit_to_site(asked("-p", "skylake,gpu,batch"), RULES).directives.partitions == ("gpu",)
    assert fit_to_site(asked("-p", "batch"), RULES).directives.partitions == ("cpu",)


@pytest.mark.parametrize(
    ("options", "output"),
    [
        (["-o", "x.out"], "x.out"),
        (["-o", "./logs/../x.out"], "x.out"),
        (["-o", "/home/acme/a/x.out"], "/home/acme/a/x.out"),
        (["-o", "/scratch/acme/x.out"], "/scratch/acme/x.out"),
        (["-o", "/dev/null"], "/dev/null"),
        (["-o", "none"], "/dev/null"),
        (["-o", "x.out", "-D", "/home/acme/run"], "/home/acme/run/x.out"),
        (["-o", "../x.out", "-D", "/home/acme/run"], "/home/acme/x.out"),
        (["-o", "x.out", "-D", "run"], "run/x.out"),
        (["-o", "~/x.out"], "~/x.out"),
    ],
)
def test_output_goes_to_the_jobs_or_the_tenants_directories(options: list[str], output: str) -> None:
    fitted = fit_to_site(asked(*options), RULES)
    assert (fitted.directives.output, fitted.warnings) == (output, ())


@pytest.mark.parametrize(
    "options",
    [["-e", "/elsewhere/x.err"], ["-e", "../x.err"], ["-e", "/home/acme/../bob/x.err"], ["-e", "/home/acmeX/x.err"],
     ["-e", "x.err", "-D", "/data/other"], ["-e", "../../../x.err", "-D", "/home/acme/run"], ["-e", "a/../../x.err"]],
)  # fmt: skip
def test_output_elsewhere_is_mapped_into_the_jobs_directory_with_a_warning(options: list[str]) -> None:
    fitted = fit_to_site(asked(*options), RULES)
    assert fitted.directives.error == "x.err"
    assert [warning.option for warning in fitted.warnings] == ["error"]


def test_the_working_directory_is_kept() -> None:
    assert fit_to_site(asked("-D", "/data/other"), RULES).directives.chdir == "/data/other"

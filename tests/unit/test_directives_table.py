"""The table is complete, consistent, and says the same everywhere."""

import dataclasses
import types
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from gateway.directives import Directives
from gateway.directives.directives import ClientFlags
from gateway.directives.options import Argument, Option, Treatment
from gateway.directives.reference import help_text, markdown_rows
from gateway.directives.table import GROUPS, OF_SRUN, RENAMED, TABLE

# Every option that sbatch itself has in some release from 22.05 to 25.11, by what argument it takes: extracted from
# the tables in src/common/slurm_opt.c of 22.05.11, 23.02.8, 23.11.11, 24.05.8, 24.11.7, 25.05.8 and 25.11.7. Where
# releases differ (get-user-env, requeue) the more lenient form stands.
OF_SBATCH = {
    "required": """
        account|A acctg-freq array|a autocomplete batch bb bbf begin|b chdir|D cluster
        cluster-constraint clusters|M comment constraint|C container container-id context core-spec|S
        cores-per-socket cpu-freq cpus-per-gpu cpus-per-task|c deadline delay-boot dependency|d
        distribution|m error|e exclude|x export export-file extra extra-node-info|B gid gpu-bind
        gpu-freq gpus-per-node gpus-per-socket gpus-per-task gpus|G gres gres-flags hint input|i
        job-name|J kill-on-invalid-dep licenses|L mail-type mail-user mcs-label mem mem-bind mem-per-cpu
        mem-per-gpu mincpus network nodefile|F nodelist|w nodes|N ntasks-per-core ntasks-per-gpu
        ntasks-per-node ntasks-per-socket ntasks-per-tres ntasks|n open-mode output|o partition|p power
        prefer priority profile qos|q reservation resources segment signal sockets-per-node switches
        tasks-per-node thread-spec threads-per-core time-min time|t tmp tres-bind tres-per-task uid
        wait-all-nodes wckey wrap
    """,
    "optional": """
        exclusive get-user-env nice no-kill|k oom-kill-step propagate requeue resv-ports
    """,
    "none": """
        consolidate-segments contiguous external help|h hold|H ignore-pbs no-requeue
        overcommit|O oversubscribe|s parsable quiet|Q reboot spread-job spread-segments stepmgr
        test-only usage use-min-nodes verbose|v version|V wait|W
    """,
}
KNOWN = [(word, kind) for kind, words in OF_SBATCH.items() for word in words.split()]


@pytest.mark.parametrize(("word", "argument"), KNOWN)
def test_every_option_of_sbatch_has_a_row_with_its_letter_and_argument(word: str, argument: str) -> None:
    name, _, letter = word.partition("|")
    [option] = TABLE.named(name).values()
    assert option.argument == argument
    if letter:
        assert TABLE.lettered(letter) is option


def test_every_row_is_an_option_of_sbatch_or_of_a_plugin() -> None:
    known = {word.partition("|")[0] for word, _ in KNOWN}
    ours = {name for o in TABLE.options if o.treatment is not Treatment.SPANK for name in (o.name, *o.aliases)}
    assert ours == known


def test_no_name_and_no_letter_stands_for_two_options() -> None:
    names = [name for option in TABLE.options for name in (option.name, *option.aliases)]
    letters = [option.short for option in TABLE.options if option.short]
    assert len(names) == len(set(names))
    assert len(letters) == len(set(letters))


def test_a_renamed_option_is_unknown_and_its_new_name_is_known() -> None:
    assert all(old not in TABLE.names and new in TABLE.names for old, new in RENAMED.items())
    assert not OF_SRUN & set(TABLE.names)


@pytest.mark.parametrize("option", TABLE.options, ids=lambda option: option.name)
def test_a_row_is_consistent(option: Option) -> None:
    assert option.help
    assert bool(option.reason) == (option.treatment in {Treatment.REFUSED, Treatment.GATEWAY})
    if option.treatment in {Treatment.ALLOWED, Treatment.MAPPED, Treatment.SPANK}:
        assert (option.kind is None) == (option.argument is Argument.NONE)
        assert bool(option.bare) == (option.argument is Argument.OPTIONAL)
    if option.treatment in {Treatment.MAPPED, Treatment.CLIENT}:
        assert option.feeds, "it is in no field and nowhere else: it would be dropped"


@pytest.mark.parametrize("option", [o for o in TABLE.options if o.feeds], ids=lambda option: option.name)
def test_a_row_feeds_a_field_of_the_type_its_values_have(option: Option) -> None:
    target = ClientFlags if option.treatment is Treatment.CLIENT else Directives
    field = _without_none(get_type_hints(target)[option.feeds])
    assert field == (_returned(option) if option.kind else bool)


def test_every_field_is_fed_by_an_option() -> None:
    fed = {option.feeds for option in TABLE.options}
    fields = {field.name for cls in (Directives, ClientFlags) for field in dataclasses.fields(cls)}
    assert fields - fed == {"passthrough"}


def test_help_shows_what_can_be_used_and_the_reference_shows_all() -> None:
    reference = "\n".join(markdown_rows())
    for rows in GROUPS.values():
        for option in rows:
            assert f"`--{option.name}`" in reference
            usable = option.treatment in {Treatment.ALLOWED, Treatment.MAPPED, Treatment.CLIENT}
            assert (f" --{option.name}" in help_text().replace("=", " ").replace("[", " ") + " ") >= usable
    assert len({row.replace("\\|", "").count("|") for row in markdown_rows()}) == 1


def test_an_exact_name_wins_and_a_prefix_must_be_clear() -> None:
    assert list(TABLE.named("mem")) == ["mem"]
    assert list(TABLE.named("tasks")) == ["tasks-per-node"]
    assert len(TABLE.named("mem-")) > 1
    assert TABLE.named("nonsense") == {}


def test_a_prefix_that_was_clear_in_22_05_stays_clear() -> None:
    # 24.05 brought --resv-ports, 25.11 --resources.
    assert list(TABLE.named("res")) == ["reservation"]


def test_options_of_plugins_are_not_abbreviated() -> None:
    assert list(TABLE.named("image")) == ["image"]
    assert TABLE.named("imag") == {}


def _returned(option: Option) -> Any:
    assert option.kind
    return get_type_hints(option.kind.parse)["return"]


def _without_none(hint: Any) -> Any:
    if get_origin(hint) is types.UnionType:
        [hint] = [arm for arm in get_args(hint) if arm is not types.NoneType]
    return hint

"""Read sbatch's options, from a script's directives and from a command line, out of one table."""

from gateway.directives.diagnostics import Diagnostic
from gateway.directives.directives import Directives
from gateway.directives.parse import Parsed, parse_script
from gateway.directives.settle import Policy
from gateway.directives.site import SiteRules, fit_to_site

__all__ = ["Diagnostic", "Directives", "Parsed", "Policy", "SiteRules", "fit_to_site", "parse_script"]

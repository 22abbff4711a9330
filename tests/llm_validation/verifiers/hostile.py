"""Completions meant to run, to hang or to break their verifier, and one verifier that lets them run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llm_validation.verifiers import Verifier


def programs(target: Path) -> dict[str, str]:
    """Python expressions that make a file of that path if they are evaluated."""
    return {
        "os.system": f"__import__('os').system('touch {target}')",
        "open": f"open('{target}', 'w')",
        "pathlib": f"__import__('pathlib').Path('{target}').touch()",
        "subprocess": f"__import__('subprocess').call(['touch', '{target}'])",
        "exec": f'exec(\'open("{target}", "w")\')',
        "lambda": f"(lambda: open('{target}', 'w'))()",
        "through a class": f"().__class__.__base__.__subclasses__() and open('{target}', 'w')",
        "in a sum": f"7 + open('{target}', 'w').fileno()",
    }


def dressed(program: str) -> dict[str, str]:
    """The program in the places where an answer stands."""
    return {
        "plain": program,
        "announced": f"The answer is {program}",
        "dollars": f"${program}$",
        "display": f"$${program}$$",
        "brackets": f"\\[ {program} \\]",
        "box": f"\\boxed{{{program}}}",
        "text": f"$\\text{{{program}}}$",
        "operator": f"$\\operatorname{{{program}}}(7)$",
        "symbol": f"$\\mathrm{{{program}}}$",
        "subscript": f"$x_{{{program}}}$",
        "exponent": f"$7^{{{program}}}$",
        "variable": f"$\\variable{{{program}}}$",
        "function": f"$f({program})$",
        "fraction": f"$\\frac{{{program}}}{{1}}$",
        "percent": f"${program} \\%$",
        "series": f"$\\sum_{{k=1}}^{{\\infty}} \\frac{{{program}}}{{k^2}}$",
    }


# None of these is 7, and none is sqrt(2).
BOMBS = {
    "a megabyte of digits": "7" * 10**6,
    "a megabyte of digits in LaTeX": f"${'7' * 10**6}$",
    "ten thousand brackets": "(" * 10_000 + "8" + ")" * 10_000,
    "ten thousand braces": "{" * 10_000 + "8" + "}" * 10_000,
    "ten thousand open boxes": r"\boxed{" * 10_000,
    "ten thousand boxes": r"\boxed{" * 10_000 + "8" + "}" * 10_000,
    "open brackets in LaTeX": f"${'[' * 900}$",
    "400 brackets in LaTeX": f"${'(' * 400}8{')' * 400}$",
    "ten thousand fractions": "$" + r"\frac{1}{" * 10_000 + "2" + "}" * 10_000 + "$",
    "80 fractions": "$" + r"\frac{1}{" * 80 + "2" + "}" * 80 + "$",
    "120 roots": "$" + r"\sqrt{" * 120 + "3" + "}" * 120 + "$",
    "a tower": "$9^{9^{9^9}}$",
    "a tower in a box": r"\boxed{9^{9^{9}}}",
    "a tower, modulo": r"$9^{9^9} \mod 7$",
    "factorials": "$((99!)!)!$",
    "a long product": r"$\prod_{k=1}^{10^{9}} k$",
    "a long sum": r"$\sum_{k=1}^{10^{12}} \frac{1}{k}$",
    "a large matrix": r"$\operatorname{zeros}(100000,100000)$",
    "a large identity": r"$\operatorname{eye}(100000)$",
    "a power of a sum": "$(x+1)^{100000}$",
    "a hard integral": r"$\int_0^1 \sin(\sin(\sin(e^{x^x}))) dx$",
    "a huge exponent": "$1e999999999$",
    "a binomial": r"$\binom{10^9}{5\cdot 10^8}$",
    "lone surrogates": "\ud800\udfff $\ud800$ \\boxed{\udfff}",
    "NUL": "\0$8\0$\0",
    "right to left": "\u202e$8$\u202e",
    "digits of other scripts": "٧ $७$ \\boxed{７}",
    "dollars": "$ " * 500,
    "dollars joined": "$1$,and" * 140,
    "back strokes": "\\" * 1000,
    "announcements": "the final answer is " * 5000,
    "empty": "",
    "white space": " \n\t" * 100_000,
}


class UnsafeVerifier(Verifier):
    """What must never be written: it evaluates the completion."""

    name = "unsafe"

    def score(self, completions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        return [self._one(completion, answer) for completion, answer in zip(completions, answers, strict=True)]

    def _one(self, completion: str, answer: str) -> float:
        try:
            return float(str(eval(completion)) == answer)
        except Exception:
            return 0.0

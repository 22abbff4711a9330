"""What the lexer knows of LaTeX commands: other names of signs, styling to drop, and spaces."""

from __future__ import annotations

# Commands that stand for a sign; the sign is the text of the token.
SIGNS = {
    r"\le": "<=",
    r"\leq": "<=",
    r"\leqslant": "<=",
    r"\leqq": "<=",
    r"\ge": ">=",
    r"\geq": ">=",
    r"\geqslant": ">=",
    r"\geqq": ">=",
    r"\lt": "<",
    r"\gt": ">",
    r"\ne": "!=",
    r"\neq": "!=",
    r"\approx": "~=",
    r"\simeq": "~=",
    r"\doteq": "~=",
    r"\coloneqq": "=",
    r"\times": "*",
    r"\cdot": "*",
    r"\ast": "*",
    r"\bullet": "*",
    r"\div": "/",
    r"\slash": "/",
    r"\colon": ":",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\lparen": "(",
    r"\rparen": ")",
    r"\mid": "|",
    r"\vert": "|",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\varnothing": r"\emptyset",
    r"\O": r"\emptyset",
    r"\dots": r"\ldots",
    r"\cdots": r"\ldots",
    r"\dotsc": r"\ldots",
    r"\dotsb": r"\ldots",
    r"\dotso": r"\ldots",
    r"\rightarrow": r"\to",
    r"\longrightarrow": r"\to",
    r"\implies": r"\Rightarrow",
    r"\Longrightarrow": r"\Rightarrow",
    r"\therefore": r"\Rightarrow",
    r"\iff": r"\Leftrightarrow",
    r"\Longleftrightarrow": r"\Leftrightarrow",
    r"\backslash": r"\setminus",
    r"\smallsetminus": r"\setminus",
    r"\prime": "'",
    r"\degree": "°",
    r"\degrees": "°",
    r"\%": "%",
    r"\dfrac": r"\frac",
    r"\tfrac": r"\frac",
    r"\cfrac": r"\frac",
    r"\nicefrac": r"\frac",
    r"\sfrac": r"\frac",
    r"\dbinom": r"\binom",
    r"\tbinom": r"\binom",
    r"\varepsilon": r"\epsilon",
    r"\vartheta": r"\theta",
    r"\varphi": r"\phi",
    r"\lor": "or",
    r"\vee": "or",
    r"\land": "and",
    r"\wedge": "and",
}
# Their argument is text: words, no products of letters.
TEXT = frozenset(
    {
        r"\text",
        r"\textbf",
        r"\textit",
        r"\textrm",
        r"\textsf",
        r"\texttt",
        r"\textnormal",
        r"\textsc",
        r"\mbox",
        r"\hbox",
    }
    | {r"\mathrm", r"\operatorname", r"\operatorname*", r"\textup", r"\emph", r"\unit", r"\textsl"}
)
# They change how things look; what they are applied to stays.
DROPPED = frozenset(
    {r"\left", r"\right", r"\middle", r"\displaystyle", r"\textstyle", r"\scriptstyle", r"\limits", r"\nolimits"}
    | {r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\biggl", r"\biggr", r"\Biggl"}
    | {r"\Biggr", r"\bm", r"\boldsymbol", r"\mathbf", r"\mathit", r"\mathsf", r"\mathtt", r"\mathnormal", r"\pmb"}
    | {r"\rm", r"\bf", r"\it", r"\sf", r"\tt", r"\sc", r"\boxed", r"\fbox", r"\framebox", r"\ensuremath", r"\underline"}
    | {r"\mathord", r"\mathop", r"\mathbin", r"\mathrel", r"\mathopen", r"\mathclose", r"\mathpunct", r"\mathinner"}
    | {
        r"\nonumber",
        r"\notag",
        r"\centering",
        r"\hfill",
        r"\large",
        r"\Large",
        r"\LARGE",
        r"\huge",
        r"\small",
        r"\bfseries",
    }
    | {r"\strut", r"\par", r"\allowbreak", r"\relax", r"\displaylimits", r"\cancel", r"\mathstrut", r"\noindent"}
)
# They are dropped together with their argument.
DROPPED_WITH_ARGUMENT = frozenset(
    {
        r"\color",
        r"\phantom",
        r"\hphantom",
        r"\vphantom",
        r"\label",
        r"\tag",
        r"\hspace",
        r"\vspace",
        r"\kern",
        r"\textcolor",
    }
    | {r"\colorbox", r"\hspace*", r"\vspace*", r"\tag*"}
)
SPACES = frozenset(
    {r"\,", r"\:", r"\;", r"\!", r"\>", r"\ ", "\\\n", "\\\t", r"\quad", r"\qquad", r"\enspace", r"\thinspace", "~"}
    | {r"\(", r"\)", r"\[", r"\]", "$", r"\medspace", r"\thickspace", r"\space", r"\newline", r"\hskip"}
)

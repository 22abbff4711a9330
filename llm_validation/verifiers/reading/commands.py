"""What the lexer knows of LaTeX commands: other names of signs, styling to drop, and spaces."""

from __future__ import annotations

from llm_validation.verifiers.reading.word_sets import word_set

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
TEXT = word_set(
    r"\text \textbf \textit \textrm \textsf \texttt \textnormal \textsc \mbox \hbox \mathrm",
    r"\operatorname \operatorname* \textup \emph \unit \textsl",
)
# They change how things look; what they are applied to stays.
DROPPED = word_set(
    r"\left \right \middle \displaystyle \textstyle \scriptstyle \limits \nolimits \big \Big \bigg",
    r"\Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \Biggl \Biggr \bm \boldsymbol \mathbf \mathit",
    r"\mathsf \mathtt \mathnormal \pmb \rm \bf \it \sf \tt \sc \boxed \fbox \framebox \ensuremath",
    r"\underline \mathord \mathop \mathbin \mathrel \mathopen \mathclose \mathpunct \mathinner",
    r"\checkmark \blacksquare \qed \nonumber \notag \centering \hfill",
    r"\large \Large \LARGE \huge \small \bfseries \strut \par",
    r"\allowbreak \relax \displaylimits \cancel \mathstrut \noindent",
)
# They are dropped together with their argument.
DROPPED_WITH_ARGUMENT = word_set(
    r"\color \phantom \hphantom \vphantom \label \tag \hspace \vspace \kern \textcolor \colorbox",
    r"\hspace* \vspace* \tag*",
)
SPACES = frozenset(
    {r"\,", r"\:", r"\;", r"\!", r"\>", r"\ ", "\\\n", "\\\t", r"\quad", r"\qquad", r"\enspace", r"\thinspace", "~"}
    | {r"\(", r"\)", r"\[", r"\]", "$", r"\medspace", r"\thickspace", r"\space", r"\newline", r"\hskip"}
)

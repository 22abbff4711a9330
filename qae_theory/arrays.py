"""The array type and the elementary functions that run on float64 arrays and on exact objects.

They are defined in ``numerics.arithmetic``, below everything else; this is the door by which others reach them.
"""

from qae_theory.numerics.arithmetic import Array as Array
from qae_theory.numerics.arithmetic import decimal_fraction as decimal_fraction
from qae_theory.numerics.arithmetic import exact_number as exact_number
from qae_theory.numerics.arithmetic import exp as exp
from qae_theory.numerics.arithmetic import is_exact as is_exact
from qae_theory.numerics.arithmetic import log as log
from qae_theory.numerics.arithmetic import sqrt as sqrt

"""The modified Bessel functions of orders 0 and 1, divided by ``exp(abs(x))``, without branches.

Below 8 the power series (DLMF 10.25.2), all of whose terms are positive. Above, ``sqrt(x)`` times the function is a
polynomial in 16/x - 1.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import exp

__all__ = ["bessel_ratio", "bessel_ratio_complement", "i0e", "i0e_less_i1e", "i1e"]


@scalar
def _near_0(z: float) -> Any:
    """Return ``I0(x)`` for ``z = x^2 / 4`` of at most 16."""
    p = 2.5976979980828152e-48
    p = p * z + 1.4962740468957016e-45
    p = p * z + 7.915289708078262e-43
    p = p * z + 3.8310002187098785e-40
    p = p * z + 1.6894710964510564e-37
    p = p * z + 6.757884385804225e-35
    p = p * z + 2.4395962632753253e-32
    p = p * z + 7.904291893012054e-30
    p = p * z + 2.2843403570804838e-27
    p = p * z + 5.8479113141260385e-25
    p = p * z + 1.3157800456783586e-22
    p = p * z + 2.5789288895295828e-20
    p = p * z + 4.358389823304995e-18
    p = p * z + 6.276081345559193e-16
    p = p * z + 7.594058428126623e-14
    p = p * z + 7.594058428126624e-12
    p = p * z + 6.151187326782565e-10
    p = p * z + 3.936759889140842e-08
    p = p * z + 1.9290123456790124e-06
    p = p * z + 6.944444444444444e-05
    p = p * z + 0.001736111111111111
    p = p * z + 0.027777777777777776
    p = p * z + 0.25
    p = p * z + 1.0
    p = p * z + 1.0
    return p


@scalar
def _near_1(z: float) -> Any:
    """Return ``2 I1(x) / x`` for ``z = x^2 / 4`` of at most 16."""
    p = 1.0390791992331261e-49
    p = p * z + 6.234475195398757e-47
    p = p * z + 3.4414303078601135e-44
    p = p * z + 1.7413637357772174e-41
    p = p * z + 8.045100459290744e-39
    p = p * z + 3.3789421929021126e-36
    p = p * z + 1.2839980333028028e-33
    p = p * z + 4.391273273895586e-31
    p = p * z + 1.3437296218120491e-28
    p = p * z + 3.654944571328774e-26
    p = p * z + 8.771866971189057e-24
    p = p * z + 1.842092063949702e-21
    p = p * z + 3.352607556388458e-19
    p = p * z + 5.230067787965994e-17
    p = p * z + 6.903689480115112e-15
    p = p * z + 7.594058428126623e-13
    p = p * z + 6.834652585313961e-11
    p = p * z + 4.920949861426052e-09
    p = p * z + 2.755731922398589e-07
    p = p * z + 1.1574074074074073e-05
    p = p * z + 0.00034722222222222224
    p = p * z + 0.006944444444444444
    p = p * z + 0.08333333333333333
    p = p * z + 0.5
    p = p * z + 1.0
    return p


@scalar
def _far_0(w: float) -> Any:
    """Return ``sqrt(x) exp(-x) I0(x)`` for ``w = 16 / x - 1`` of at most 1."""
    p = -2.1026384897988802e-11
    p = p * w + 3.908387942826915e-11
    p = p * w + 1.588423350992965e-10
    p = p * w + -3.1469409440481513e-10
    p = p * w + -5.517743440732131e-10
    p = p * w + 1.1879241078722262e-09
    p = p * w + 1.19167453655378e-09
    p = p * w + -2.8411410774923857e-09
    p = p * w + -1.8880957563391057e-09
    p = p * w + 4.957147335316315e-09
    p = p * w + 2.6547902915057677e-09
    p = p * w + -6.9145475501901456e-09
    p = p * w + -4.184523888729429e-09
    p = p * w + 7.910872177098164e-09
    p = p * w + 7.83448429524067e-09
    p = p * w + -5.569090680737431e-09
    p = p * w + -1.348907570380097e-08
    p = p * w + -6.7100093246245074e-09
    p = p * w + 7.569785257070744e-09
    p = p * w + 2.1542842690546706e-08
    p = p * w + 3.932406802805976e-08
    p = p * w + 8.872268159209354e-08
    p = p * w + 2.973599767639828e-07
    p = p * w + 1.483847543824492e-06
    p = p * w + 1.1143033787275596e-05
    p = p * w + 0.00013621607439232331
    p = p * w + 0.0033605519836678952
    p = p * w + 0.4021765094450081
    return p


@scalar
def _far_1(w: float) -> Any:
    """Return ``sqrt(x) exp(-x) I1(x)`` for ``w = 16 / x - 1`` of at most 1."""
    p = 2.049305687359829e-11
    p = p * w + -4.0657742537925194e-11
    p = p * w + -1.5422532292995627e-10
    p = p * w + 3.27305107356646e-10
    p = p * w + 5.328726890804043e-10
    p = p * w + -1.2354940995166814e-09
    p = p * w + -1.1425450294283331e-09
    p = p * w + 2.956252395402678e-09
    p = p * w + 1.7966120145367928e-09
    p = p * w + -5.166953168056089e-09
    p = p * w + -2.5283003516359996e-09
    p = p * w + 7.242384940925024e-09
    p = p * w + 4.0764641389321665e-09
    p = p * w + -8.388083994966264e-09
    p = p * w + -7.912027539817697e-09
    p = p * w + 6.145364848384102e-09
    p = p * w + 1.4110780386208672e-08
    p = p * w + 6.695302618992283e-09
    p = p * w + -8.442156608807226e-09
    p = p * w + -2.336817047627452e-08
    p = p * w + -4.312748698582641e-08
    p = p * w + -1.000133866120353e-07
    p = p * w + -3.483856882241426e-07
    p = p * w + -1.834910109811299e-06
    p = p * w + -1.5038547197094254e-05
    p = p * w + -0.00021923576383429784
    p = p * w + -0.009749577193235768
    p = p * w + 0.38939845902587233
    return p


@scalar
def _far_difference(w: float) -> Any:
    """Return ``x sqrt(x) exp(-x) (I0(x) - I1(x))`` for ``w = 16 / x - 1`` of at most 1."""
    p = -1.064508519192691e-09
    p = p * w + 4.0019745084729763e-10
    p = p * w + 8.32722813496065e-09
    p = p * w + -3.3181456064926056e-09
    p = p * w + -3.023996547903089e-08
    p = p * w + 1.2885612948573014e-08
    p = p * w + 6.873554626715532e-08
    p = p * w + -3.1388033211441516e-08
    p = p * w + -1.1291991904406619e-07
    p = p * w + 5.3964594710051815e-08
    p = p * w + 1.5060551234801738e-07
    p = p * w + -6.767606205774911e-08
    p = p * w + -1.835145106320214e-07
    p = p * w + 5.1338702189435886e-08
    p = p * w + 2.195179242500961e-07
    p = p * w + 3.242626511083778e-08
    p = p * w + -2.2272215613763106e-07
    p = p * w + -2.1887554130252317e-07
    p = p * w + 4.943368242713061e-09
    p = p * w + 2.5124770161133444e-07
    p = p * w + 4.6725940680304783e-07
    p = p * w + 8.519654734191309e-07
    p = p * w + 2.1678167912777678e-06
    p = p * w + 8.164113848532239e-06
    p = p * w + 4.493600840755328e-05
    p = p * w + 0.00037396928734236435
    p = p * w + 0.005313260124286683
    p = p * w + 0.20444880670617194
    return p


@scalar
def _variables(x: float) -> Any:
    """Return ``(abs(x), z, w)`` of the two approximations, each held where it is used."""
    t = abs(x * 1.0)
    near = 8.0 if t > 8.0 else t
    far = 8.0 if t < 8.0 else t
    return t, 0.25 * near * near, 16.0 / far - 1.0


@scalar
def i0e(x: float) -> Any:
    """Return ``exp(-abs(x)) I0(x)``."""
    t, z, w = _variables(x)
    return exp(-t) * _near_0(z) if t < 8.0 else _far_0(w) / np.sqrt(t)


@scalar
def i1e(x: float) -> Any:
    """Return ``exp(-abs(x)) I1(x)``: odd, so 0 at 0."""
    t, z, w = _variables(x)
    result = 0.5 * t * exp(-t) * _near_1(z) if t < 8.0 else _far_1(w) / np.sqrt(t)
    return -result if x < 0.0 else result


@scalar
def i0e_less_i1e(x: float) -> Any:
    """Return ``exp(-x) (I0(x) - I1(x))`` for x >= 0 without the cancellation for large x."""
    t, z, w = _variables(x)
    near = exp(-t) * (_near_0(z) - 0.5 * t * _near_1(z))
    return near if t < 8.0 else _far_difference(w) / t / np.sqrt(t)


@scalar
def bessel_ratio(x: float) -> Any:
    """Return ``I1(x) / I0(x)``: the mean resultant length of a von Mises variable of concentration x."""
    t, z, w = _variables(x)
    result = 0.5 * t * _near_1(z) / _near_0(z) if t < 8.0 else _far_1(w) / _far_0(w)
    return -result if x < 0.0 else result


@scalar
def bessel_ratio_complement(x: float) -> Any:
    """Return ``1 - I1(x) / I0(x)`` for x >= 0, about 1 / (2 x) for large x."""
    t, z, w = _variables(x)
    near = 1.0 - 0.5 * t * _near_1(z) / _near_0(z)
    return near if t < 8.0 else _far_difference(w) / (t * _far_0(w))

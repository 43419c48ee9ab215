// logarithm: ln x, exact to f32's last bits, and what tells numbers by their bits. x = 2ᵉ·m with m in [√½, √2), so that
// ln x = e·ln 2 + ln m: ln 2 in two parts, of which the first times e is exact, and ln m by the polynomial of Cephes' logf
// (Moshier 1992). WGSL's log is exact to 2⁻²¹ only where it is near 0.
//
// A head, on four numbers at once: it has no kernel.

fn isNan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffff)) > vec4u(0x7f800000);
}

/// NaN, whatever x is; written so that no compiler takes it for a constant.
fn nanOf(x: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(x) | vec4u(0x7fc00000)); }

/// Neither 0 nor below, nor infinite, nor NaN.
fn isOrdinary(x: vec4f) -> vec4<bool> { return bitcast<vec4u>(x) - 0x00800000 < vec4u(0x7f000000); }

/// ln(1 + f) for √½ ≤ 1 + f ≤ √2.
fn logNear(f: vec4f) -> vec4f {
  let tail = 0.2000071477 + f * (-0.1666805767 + f * (0.1424932279 + f * (-0.1242014085 + f * (0.1167699874 +
    f * (-0.1151461031 + f * 0.0703768363)))));
  return f + f * f * (-0.5 + f * (0.3333333117 + f * (-0.2499999399 + f * tail)));
}

/// e of x = 2ᵉ·m, for ordinary x.
fn exponentOf(x: vec4f) -> vec4i { return bitcast<vec4i>(bitcast<vec4u>(x) - 0x3f3504f3) >> vec4u(23); } // √½

/// ln m of the same.
fn logRest(x: vec4f, exponent: vec4i) -> vec4f {
  return logNear(bitcast<vec4f>(bitcast<vec4u>(x) - (bitcast<vec4u>(exponent) << vec4u(23))) - 1);
}

/// ln x in units of 1/scale = ln 2 in its two parts: the exponent, and what is left of x.
fn logIn(x: vec4f, high: f32, low: f32, scale: f32) -> vec4f {
  let exponent = exponentOf(x);
  let e = vec4f(exponent);
  let whole = fma(e, vec4f(high), fma(e, vec4f(low), scale * logRest(x, exponent)));
  return select(select(log(x), whole, isOrdinary(x)), nanOf(x), x < vec4f());
}

fn logOf(x: vec4f) -> vec4f { return logIn(x, 0.693359375, -2.1219444e-4, 1); }

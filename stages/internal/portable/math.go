package portable

import "math"

const (
	ln2Hi = 6.93147180369123816490e-01 // 3fe62e42 fee00000
	ln2Lo = 1.90821492927058770002e-10 // 3dea39ef 35793c76
)

// Log returns the natural logarithm of x, within one unit in the last place
// for finite positive x. It returns NaN below 0 and -Inf at 0.
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 1):
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	// x = 2^k * f with sqrt(1/2) <= f < sqrt(2); log(f) by the odd series in
	// s = (f-1)/(f+1), whose coefficients are those of Sun's fdlibm.
	f, ki := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		ki--
	}
	f--
	k := float64(ki)
	s := f / (2 + f)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	t1 := horner(s4, 1.479819860511658591e-01, 1.818357216161805012e-01, 2.857142874366239149e-01, 6.666666666666735130e-01)
	t1 = float64(s2 * t1)
	t2 := horner(s4, 1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01)
	t2 = float64(s4 * t2)
	r := t1 + t2
	hfsq := float64(float64(0.5*f) * f)
	in := float64(s*(hfsq+r)) + float64(k*ln2Lo)
	return float64(k*ln2Hi) - ((hfsq - in) - f)
}

// Exp returns e**x within one unit in the last place. It returns +Inf on
// overflow and 0 on underflow.
func Exp(x float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 1):
		return x
	case math.IsInf(x, -1):
		return 0
	case x > 7.09782712893383973096e+02:
		return math.Inf(1)
	case x < -7.45133219101941108420e+02:
		return 0
	}
	var k int
	switch {
	case x < 0:
		k = int(float64(math.Log2E*x) - 0.5)
	case x > 0:
		k = int(float64(math.Log2E*x) + 0.5)
	}
	hi := x - float64(float64(k)*ln2Hi)
	lo := float64(float64(k) * ln2Lo)
	r := hi - lo
	t := float64(r * r)
	c := r - float64(t*horner(t, 4.13813679705723846039e-08, -1.65339022054652515390e-06,
		6.61375632143793436117e-05, -2.77777777770155933842e-03, 1.66666666666666019037e-01))
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	return math.Ldexp(y, k)
}

// Log1pExp returns log(1+e**x) without overflow.
func Log1pExp(x float64) float64 {
	if x > 0 {
		return x + log1p(Exp(-x))
	}
	return log1p(Exp(x))
}

// Sigmoid returns 1/(1+e**-x).
func Sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + Exp(-x))
	}
	e := Exp(x)
	return e / (1 + e)
}

// log1p returns log(1+x) for 0 <= x <= 1. The quotient repairs the rounding
// of 1+x.
func log1p(x float64) float64 {
	u := 1 + x
	if u == 1 {
		return x
	}
	return float64(Log(u) * (x / (u - 1)))
}

func horner(x float64, coefficients ...float64) float64 {
	var y float64
	for _, c := range coefficients {
		y = float64(y*x) + c
	}
	return y
}

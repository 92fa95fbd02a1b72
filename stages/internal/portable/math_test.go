package portable

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// off is the distance in units in the last place.
func off(a, b float64) float64 {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return 0
	}
	return math.Abs(a-b) / (math.Nextafter(math.Abs(b), math.Inf(1)) - math.Abs(b))
}

func TestAgainstStandardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		x := math.Exp(rng.NormFloat64() * 20)
		if got, want := Log(x), math.Log(x); off(got, want) > 2 {
			t.Fatalf("Log(%v) = %v, want %v", x, got, want)
		}
		x = rng.NormFloat64() * 100
		// Each may be one unit off the truth.
		if got, want := Exp(x), math.Exp(x); off(got, want) > 2 {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
		want := math.Log1p(math.Exp(-math.Abs(x))) + max(x, 0)
		if got := Log1pExp(x); off(got, want) > 4 {
			t.Fatalf("Log1pExp(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"Log(0)", Log(0), -inf}, {"Log(-1)", Log(-1), nan}, {"Log(inf)", Log(inf), inf}, {"Log(1)", Log(1), 0},
		{"Log(smallest)", Log(math.SmallestNonzeroFloat64), -744.4400719213812},
		{"Exp(0)", Exp(0), 1}, {"Exp(inf)", Exp(inf), inf}, {"Exp(-inf)", Exp(-inf), 0}, {"Exp(1000)", Exp(1000), inf},
		{"Exp(-1000)", Exp(-1000), 0}, {"Exp(nan)", Exp(nan), nan}, {"Exp(-740)", Exp(-740), math.Exp(-740)},
		{"Log1pExp(1000)", Log1pExp(1000), 1000}, {"Log1pExp(-1000)", Log1pExp(-1000), 0}, {"Log1pExp(-50)", Log1pExp(-50), math.Exp(-50)},
		{"Sigmoid(0)", Sigmoid(0), 0.5}, {"Sigmoid(1000)", Sigmoid(1000), 1}, {"Sigmoid(-1000)", Sigmoid(-1000), 0},
	} {
		if off(tt.got, tt.want) > 1 {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// The bits are the point: these must hold on every processor.
func TestBits(t *testing.T) {
	h := new(big.Int)
	for i := 1; i <= 1000; i++ {
		for _, x := range []float64{Log(float64(i) / 7), Exp(float64(i-500) / 9), Sigmoid(float64(i-500) / 11)} {
			h.Mul(h, big.NewInt(1000003))
			h.Xor(h, new(big.Int).SetUint64(math.Float64bits(x)))
			h.And(h, new(big.Int).SetUint64(math.MaxUint64))
		}
	}
	const want = "b135b2e098aed314"
	if got := h.Text(16); got != want {
		t.Errorf("the functions return other bits than before: %s, want %s", got, want)
	}
}

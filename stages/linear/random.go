package linear

import (
	"math/bits"
	"math/rand/v2"
)

// random orders coordinates. The same seed gives the same orders everywhere.
type random struct{ source *rand.PCG }

func newRandom(seed uint64) random { return random{rand.NewPCG(seed, 0x9e3779b97f4a7c15)} }

// below returns a number in [0, n). The bias is below n/2⁶⁴.
func (r random) below(n int) int {
	hi, _ := bits.Mul64(r.source.Uint64(), uint64(n))
	return int(hi)
}

func (r random) shuffle(list []int32) {
	for i := len(list) - 1; i > 0; i-- {
		j := r.below(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}

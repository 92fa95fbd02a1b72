package features

import "math/bits"

// mostFrequent returns the places of counts by descending count, and equal
// counts in the order in which NumPy's argsort leaves them, because that is how
// scikit-learn cuts at max_features. The order of equal counts is that of an
// algorithm: quicksort by the median of three, insertion sort for 17 or fewer,
// and heap sort when the recursion gets too deep (NumPy's generic code; where
// NumPy has code for a processor's vector instructions, equal counts come in an
// order of their own for each kind of processor).
func mostFrequent(counts []uint32) []uint32 {
	order := make([]uint32, len(counts))
	for i := range order {
		order[i] = uint32(i)
	}
	if len(counts) < 2 {
		return order
	}
	s := argsort{counts, order}
	s.sort(0, len(order)-1, 2*(bits.Len(uint(len(order)))-1))
	return order
}

type argsort struct {
	counts []uint32
	order  []uint32
}

// before reports whether the place a belongs before b: the keys are the
// negated counts.
func (s argsort) before(a, b uint32) bool { return s.counts[a] > s.counts[b] }

func (s argsort) swap(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] }

const insertionLimit = 17

// sort sorts order[lo:hi+1]. The smaller part of a partition comes first, the
// larger one after it, each with what is left of the depth.
func (s argsort) sort(lo, hi, depth int) {
	type part struct{ lo, hi, depth int }
	pending := []part{{lo, hi, depth}}
	for len(pending) > 0 {
		p := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if p.depth < 0 {
			s.heap(p.lo, p.hi)
			continue
		}
		lo, hi, depth = p.lo, p.hi, p.depth
		for hi-lo+1 > insertionLimit {
			i := s.partition(lo, hi)
			depth--
			if i-lo < hi-i {
				pending = append(pending, part{i + 1, hi, depth})
				hi = i - 1
			} else {
				pending = append(pending, part{lo, i - 1, depth})
				lo = i + 1
			}
		}
		s.insertion(lo, hi)
	}
}

// partition returns the final place of its pivot.
func (s argsort) partition(lo, hi int) int {
	o := s.order
	mid := lo + (hi-lo)/2
	if s.before(o[mid], o[lo]) {
		s.swap(mid, lo)
	}
	if s.before(o[hi], o[mid]) {
		s.swap(hi, mid)
	}
	if s.before(o[mid], o[lo]) {
		s.swap(mid, lo)
	}
	pivot := o[mid]
	s.swap(mid, hi-1)
	i, j := lo, hi-1
	for {
		for i++; s.before(o[i], pivot); i++ {
		}
		for j--; s.before(pivot, o[j]); j-- {
		}
		if i >= j {
			break
		}
		s.swap(i, j)
	}
	s.swap(i, hi-1)
	return i
}

func (s argsort) insertion(lo, hi int) {
	for i := lo + 1; i <= hi; i++ {
		x := s.order[i]
		j := i
		for ; j > lo && s.before(x, s.order[j-1]); j-- {
			s.order[j] = s.order[j-1]
		}
		s.order[j] = x
	}
}

// heap sorts with a heap whose largest element is the first.
func (s argsort) heap(lo, hi int) {
	o := s.order[lo : hi+1]
	down := func(root, n int, x uint32) {
		for {
			child := 2*root + 1
			if child >= n {
				break
			}
			if child+1 < n && s.before(o[child], o[child+1]) {
				child++
			}
			if !s.before(x, o[child]) {
				break
			}
			o[root] = o[child]
			root = child
		}
		o[root] = x
	}
	n := len(o)
	for i := n/2 - 1; i >= 0; i-- {
		down(i, n, o[i])
	}
	for n > 1 {
		n--
		x := o[n]
		o[n] = o[0]
		down(0, n, x)
	}
}

//go:build !amd64

package linear

// dotSparse is the product of a sparse and a dense vector.
func dotSparse(at []int32, vals, w []float64) float64 { return dotGo(at, vals, w) }

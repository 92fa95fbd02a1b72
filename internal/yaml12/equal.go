package yaml12

import (
	"math"
	"math/big"
)

// Equal reports whether a and b are equal as Python compares them: numbers and
// booleans by value (1 == 1.0 == true), maps without regard to order, lists
// with it. NaN equals nothing. Besides the values of this package, nil,
// map[string]any, []string and int are understood.
func Equal(a, b any) bool { return equal(a, b, false) }

// Identical reports whether a and b are equal and of equal type: 1, 1.0 and
// true differ, NaN is identical to NaN. Maps are compared without regard to
// order.
func Identical(a, b any) bool { return equal(a, b, true) }

func equal(a, b any, typed bool) bool {
	a, b = normal(a), normal(b)
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case Timestamp:
		y, ok := b.(Timestamp)
		return ok && x == y
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i], typed) {
				return false
			}
		}
		return true
	case *Map:
		y, ok := b.(*Map)
		return ok && equalMaps(x, y, typed)
	}
	if typed {
		return identicalNumbers(a, b)
	}
	return equalNumbers(a, b)
}

// normal replaces the Go types that callers use for convenience.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return list
	case map[string]any:
		return sortedMap(v)
	case *Map:
		if v == nil {
			return &Map{}
		}
	case *big.Int:
		if v.IsInt64() {
			return v.Int64()
		}
	}
	return v
}

func equalMaps(a, b *Map, typed bool) bool {
	if len(a.Items) != len(b.Items) {
		return false
	}
	same := true // the usual case: same keys in the same order
	for i := range a.Items {
		if !equal(a.Items[i].Key, b.Items[i].Key, typed) {
			same = false
			break
		}
	}
	if same {
		for i := range a.Items {
			if !equal(a.Items[i].Value, b.Items[i].Value, typed) {
				return false
			}
		}
		return true
	}
	at := make(map[any]int, len(b.Items))
	for i, it := range b.Items {
		at[valueID(it.Key)] = i
	}
	for _, it := range a.Items {
		i, ok := at[valueID(it.Key)]
		if !ok || !equal(it.Key, b.Items[i].Key, typed) || !equal(it.Value, b.Items[i].Value, typed) {
			return false
		}
	}
	return true
}

func identicalNumbers(a, b any) bool {
	switch x := a.(type) {
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case int64:
		y, ok := b.(int64)
		return ok && x == y
	case *big.Int:
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	case float64:
		y, ok := b.(float64)
		return ok && (x == y && math.Signbit(x) == math.Signbit(y) || x != x && y != y)
	}
	return false
}

func equalNumbers(a, b any) bool {
	x, xf, ok := number(a)
	if !ok {
		return false
	}
	y, yf, ok := number(b)
	if !ok {
		return false
	}
	if x != nil && y != nil {
		return x.Cmp(y) == 0
	}
	return xf == yf // infinities; NaN equals nothing
}

// number returns a finite number as an exact rational, anything else numeric
// as a float.
func number(v any) (*big.Rat, float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewRat(1, 1), 1, true
		}
		return new(big.Rat), 0, true
	case int64:
		return new(big.Rat).SetInt64(v), float64(v), true
	case *big.Int:
		return new(big.Rat).SetInt(v), math.MaxFloat64, true
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, v, true
		}
		return new(big.Rat).SetFloat64(v), v, true
	}
	return nil, 0, false
}

// valueID returns a comparable value that is equal for keys that Python holds
// for equal.
func valueID(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return 1.0
		}
		return 0.0
	case int:
		return valueID(int64(v))
	case int64:
		if f := float64(v); math.Abs(f) < 1<<53 {
			return f
		}
		return [1]string{big.NewInt(v).String()}
	case float64:
		if math.Abs(v) >= 1<<53 && !math.IsInf(v, 0) {
			if i, acc := big.NewFloat(v).Int(nil); acc == big.Exact {
				return [1]string{i.String()}
			}
		}
	case *big.Int:
		if v.IsInt64() {
			return valueID(v.Int64())
		}
		return [1]string{v.String()}
	case []any, *Map, []string, map[string]any:
		return nil // can't be keys
	}
	return v
}

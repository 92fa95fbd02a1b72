package features

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Bound is a number of texts, given as a count or as a share of all. The two
// differ: a bound of 1 is one text, a bound of 1.0 is all of them. The JSON
// form keeps the difference by the decimal point.
type Bound struct {
	count   int
	share   float64
	isShare bool
}

// Count returns a bound of n texts.
func Count(n int) Bound { return Bound{count: n} }

// Share returns a bound of a share of all texts, from 0 to 1.
func Share(f float64) Bound { return Bound{share: f, isShare: true} }

// Of returns the bound as a number of n texts, not rounded.
func (b Bound) Of(n int) float64 {
	if b.isShare {
		return float64(b.share * float64(n))
	}
	return float64(b.count)
}

func (b Bound) check() error {
	if b.isShare {
		if !(b.share >= 0 && b.share <= 1) {
			return fmt.Errorf("%v: want a share between 0.0 and 1.0", b.share)
		}
	} else if b.count < 1 {
		return fmt.Errorf("%d: want at least 1 text", b.count)
	}
	return nil
}

// String returns the bound as it is written in parameters.
func (b Bound) String() string {
	if !b.isShare {
		return strconv.Itoa(b.count)
	}
	s := strconv.FormatFloat(b.share, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// MarshalJSON writes a number.
func (b Bound) MarshalJSON() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// UnmarshalJSON reads a number: a share when it has a point or an exponent.
func (b *Bound) UnmarshalJSON(data []byte) error {
	var n json.Number // which accepts a quoted number too
	if err := json.Unmarshal(data, &n); err != nil || data[0] == '"' {
		return fmt.Errorf("%s: want a number", data)
	}
	if strings.ContainsAny(n.String(), ".eE") {
		f, err := n.Float64()
		if err != nil {
			return err
		}
		*b = Share(f)
	} else {
		i, err := strconv.Atoi(n.String())
		if err != nil {
			return err
		}
		*b = Count(i)
	}
	return b.check()
}

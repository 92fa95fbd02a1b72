package cmd

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseBytes reads a size: a number with an optional unit, K, M, G or T (also
// KB or KiB), each 1024 times the one before.
func parseBytes(text string) (int64, error) {
	t := strings.ToUpper(strings.TrimSpace(text))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "B"), "I")
	factor := 1.0
	if t != "" {
		if i := strings.IndexByte("KMGT", t[len(t)-1]); i >= 0 {
			factor = math.Pow(1024, float64(i+1))
			t = t[:len(t)-1]
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if err != nil || !(n > 0) || n*factor > math.MaxInt64/2 {
		return 0, errors.New("must be a size such as 500M or 10G")
	}
	return int64(n * factor), nil
}

// parseAge reads an age: a number with a unit, s, m, h, d or w.
func parseAge(text string) (time.Duration, error) {
	units := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}
	t := strings.TrimSpace(text)
	if t != "" {
		if unit, ok := units[t[len(t)-1]]; ok {
			n, err := strconv.ParseFloat(t[:len(t)-1], 64)
			if d := n * float64(unit); err == nil && d > 0 && d < math.MaxInt64 {
				return time.Duration(d), nil
			}
		}
	}
	return 0, errors.New("must be an age such as 12h, 30d or 8w")
}

// byteCount is a size for people: "17 B", "3.4 MB".
func byteCount(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"KB", "MB", "GB", "TB", "PB"} {
		if f /= 1024; f < 1024 || unit == "PB" {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
	}
	return ""
}

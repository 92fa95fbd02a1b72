package serve_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// docs/monitoring.md names every metric, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	names := func(path, pattern string) []string {
		data, err := os.ReadFile(path)
		check(t, err)
		var list []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
			list = append(list, m[1])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	declared := names("metrics.go", `"((?:flow|app|model)_[a-z_]+)"`)
	documented := names("../docs/monitoring.md", "`((?:flow|app|model)_[a-z_]+)`")
	if len(declared) < 20 || !slices.Equal(declared, documented) {
		t.Errorf("declared and documented metrics differ:\n%q\n%q", declared, documented)
	}
}

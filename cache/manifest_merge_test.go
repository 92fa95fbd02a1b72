package cache_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/cache"
)

// TestMergeManifests draws three small directories and compares with the rule,
// path by path.
func TestMergeManifests(t *testing.T) {
	names := []string{"a", "b", "c/d", "c/e", "f"}
	digest := func(n int) cache.Digest {
		sum := make([]byte, 16)
		sum[0] = byte(n)
		return cache.NewDigest(cache.MD5, sum, false)
	}
	rapid.Check(t, func(t *rapid.T) {
		var sides [3]*cache.Manifest
		var content [3]map[string]int // 0 for none
		for i := range sides {
			sides[i], content[i] = new(cache.Manifest), map[string]int{}
			for _, n := range names {
				if v := rapid.IntRange(0, 3).Draw(t, n); v > 0 {
					content[i][n] = v
					sides[i].Members = append(sides[i].Members, cache.Member{Path: n, Digest: digest(v), Size: -1})
				}
			}
		}
		merged, conflicts, err := cache.MergeManifests(sides[0], sides[1], sides[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			b, o, h := content[0][n], content[1][n], content[2][n]
			want := o
			if o == b {
				want = h
			}
			if clash := o != h && o != b && h != b; clash != slices.Contains(conflicts, n) {
				t.Fatalf("%s: %d, %d, %d: conflicts %q", n, b, o, h, conflicts)
			}
			m, ok := merged.Lookup(n)
			if ok != (want > 0) || ok && m.Digest != digest(want) {
				t.Fatalf("%s: %d, %d, %d became %v", n, b, o, h, m)
			}
		}
	})
	file := &cache.Manifest{Members: []cache.Member{{Path: "a", Digest: digest(1)}}}
	dir := &cache.Manifest{Members: []cache.Member{{Path: "a/b", Digest: digest(1)}}}
	if _, _, err := cache.MergeManifests(nil, file, dir); err == nil || !strings.Contains(err.Error(), "both a file and a directory") {
		t.Error(err)
	}
	if m, conflicts, err := cache.MergeManifests(nil, file, file); err != nil || conflicts != nil || cmp.Diff(file.Members[0].Path, m.Members[0].Path) != "" {
		t.Error(m, conflicts, err)
	}
}

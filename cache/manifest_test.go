package cache_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/cache"
)

var sameDigest = cmpopts.EquateComparable(cache.Digest{})

func anyDigest(t *rapid.T, h *cache.Hash) cache.Digest {
	sum := rapid.SliceOfN(rapid.Byte(), h.Size, h.Size).Draw(t, "sum")
	return cache.NewDigest(h, sum, false)
}

func TestManifestRoundTrip(t *testing.T) {
	part := rapid.StringOfN(rapid.RuneFrom([]rune("ab.-\"\\\n\x01\x7féü\u2028\U0001F600")), 1, 4, -1).
		Filter(func(s string) bool { return s != "." && s != ".." })
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom(algorithms).Draw(t, "hash")
		native := h == cache.BLAKE3
		// Directories end in /, so that no file has the name of one.
		paths := rapid.SliceOfNDistinct(rapid.SliceOfN(part, 1, 3), 0, 12, func(p []string) string {
			return strings.Join(p, "//")
		}).Draw(t, "paths")
		m := new(cache.Manifest)
		for _, p := range paths {
			for i := range p[:len(p)-1] {
				p[i] += "+"
			}
			b := cache.Member{Path: strings.Join(p, "/"), Digest: anyDigest(t, h), Size: -1}
			if native {
				b.Size = rapid.Int64Range(0, 1<<50).Draw(t, "size")
				b.Exec = rapid.Bool().Draw(t, "exec")
			}
			m.Members = append(m.Members, b)
		}
		slices.SortFunc(m.Members, func(a, b cache.Member) int { return strings.Compare(a.Path, b.Path) })
		data := m.Encode(h)
		got, err := cache.ParseManifest(h, data)
		if err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		if diff := cmp.Diff(m, got, sameDigest, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		// The general decoder sees the same.
		var list []map[string]any
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatal(err)
		}
		for i, b := range m.Members {
			key := h.Name
			if h == cache.MD5Text {
				key = "md5"
			}
			if list[i]["relpath"] != b.Path || list[i][key] != b.Digest.String() {
				t.Fatalf("member %d: %v", i, list[i])
			}
		}
		for _, c := range data {
			if c < ' ' || c > '~' {
				t.Fatalf("byte %#x in %s", c, data)
			}
		}
		// Other white space and another order are the same manifest.
		slices.Reverse(list)
		pretty, err := json.MarshalIndent(list, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			pretty = []byte(" [ ] ")
		}
		again, err := cache.ParseManifest(h, pretty)
		if err != nil {
			t.Fatalf("%v: %s", err, pretty)
		}
		if diff := cmp.Diff(m, again, sameDigest, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

const (
	d1 = "b026324c6904b2a9cb4b88d6d61c81d1"
	d2 = "2fc57d6f63a9ee7e2f21a26fa522e3b6"
)

func TestParseManifestRefuses(t *testing.T) {
	member := func(path string) string { return `{"md5": "` + d1 + `", "relpath": ` + path + `}` }
	md5 := map[string]string{
		"empty file":        ``,
		"not an array":      `{}`,
		"unfinished":        `[`,
		"unfinished member": `[{"md5": "` + d1,
		"more after it":     `[] []`,
		"trailing comma":    `[` + member(`"a"`) + `,]`,
		"no comma":          `[` + member(`"a"`) + member(`"b"`) + `]`,
		"no digest":         `[{"relpath": "a"}]`,
		"no path":           `[{"md5": "` + d1 + `"}]`,
		"empty member":      `[{}]`,
		"digest twice":      `[{"md5": "` + d1 + `", "md5": "` + d1 + `", "relpath": "a"}]`,
		"short digest":      `[{"md5": "b0", "relpath": "a"}]`,
		"upper case digest": `[{"md5": "` + strings.ToUpper(d1) + `", "relpath": "a"}]`,
		"directory digest":  `[{"md5": "` + d1 + `.dir", "relpath": "a"}]`,
		"path not a string": `[` + member(`1`) + `]`,
		"path twice":        `[` + member(`"a"`) + `, ` + member(`"a"`) + `]`,
		"file and dir":      `[` + member(`"a/b"`) + `, ` + member(`"a-"`) + `, ` + member(`"a"`) + `]`,
		"nested extra":      `[{"md5": "` + d1 + `", "relpath": "a", "x": {}}]`,
		"half a pair":       `[` + member(`"\ud83d"`) + `]`,
		"wrong pair":        `[` + member(`"\ude00\ud83d"`) + `]`,
		"bad escape":        `[` + member(`"\x"`) + `]`,
		"control character": "[" + member("\"a\nb\"") + "]",
	}
	for _, p := range []string{
		``, `/`, `/a`, `a/`, `a//b`, `.`, `..`, `./a`, `../a`, `a/..`, `a/../b`, `a/./b`, `a/.`, `a\u0000`, "\xff", "a\xc3",
	} {
		md5["path "+p] = `[` + member(`"`+p+`"`) + `]`
	}
	for name, text := range md5 {
		if m, err := cache.ParseManifest(cache.MD5, []byte(text)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	b3 := strings.Repeat("0f", 32)
	for name, text := range map[string]string{
		"no size":       `[{"blake3": "` + b3 + `", "relpath": "a"}]`,
		"negative size": `[{"blake3": "` + b3 + `", "relpath": "a", "size": -1}]`,
		"huge size":     `[{"blake3": "` + b3 + `", "relpath": "a", "size": 99999999999999999999}]`,
		"zero in front": `[{"blake3": "` + b3 + `", "relpath": "a", "size": 01}]`,
		"not exec":      `[{"blake3": "` + b3 + `", "exec": false, "relpath": "a", "size": 1}]`,
		"unknown key":   `[{"blake3": "` + b3 + `", "relpath": "a", "size": 1, "x": 1}]`,
		"md5":           `[{"md5": "` + d1 + `", "relpath": "a", "size": 1}]`,
	} {
		if m, err := cache.ParseManifest(cache.BLAKE3, []byte(text)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestParseManifestOfOthers(t *testing.T) {
	text := `[ {"relpath": "b\/c", "md5":"` + d1 + `","size": 12.5e3, "isexec": true, "x": null, "y": "\"z"},` + "\n" +
		`{"md5": "` + d2 + `", "relpath": "\u0061"} ]` + "\n"
	m, err := cache.ParseManifest(cache.MD5, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"md5": "` + d2 + `", "relpath": "a"}, {"md5": "` + d1 + `", "relpath": "b/c"}]`
	if got := string(m.Encode(cache.MD5)); got != want {
		t.Errorf("%s", got)
	}
}

// Whatever is read encodes to something that reads the same.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`[{"md5": "`+d1+`", "relpath": "a"}]`), false)
	f.Add([]byte(`[{"md5": "`+d1+`", "relpath": "\ud83d\ude00/../x"}]`), false)
	f.Add([]byte(`[{"blake3": "`+strings.Repeat("0f", 32)+`", "exec": true, "relpath": "a", "size": 7}]`), true)
	f.Fuzz(func(t *testing.T, data []byte, native bool) {
		h := cache.MD5
		if native {
			h = cache.BLAKE3
		}
		m, err := cache.ParseManifest(h, data)
		if err != nil {
			return
		}
		var general []map[string]any
		if err := json.Unmarshal(data, &general); err != nil || len(general) != len(m.Members) {
			t.Fatalf("%d members, %v; want %d", len(general), err, len(m.Members))
		}
		for _, b := range m.Members {
			if strings.HasPrefix(b.Path, "/") || slices.Contains(strings.Split(b.Path, "/"), "..") {
				t.Fatalf("path %q", b.Path)
			}
		}
		again, err := cache.ParseManifest(h, m.Encode(h))
		if err != nil {
			t.Fatalf("own encoding: %v", err)
		}
		if diff := cmp.Diff(m, again, sameDigest, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

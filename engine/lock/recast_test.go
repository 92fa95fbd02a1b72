package lock

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRecast gives entries digests of the other algorithm, and the old ones back.
func TestRecast(t *testing.T) {
	const (
		md5    = "d41d8cd98f00b204e9800998ecf8427e"
		blake3 = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
	)
	for name, c := range map[string]struct{ was, now string }{
		"as written": {
			"outs:\n- md5: " + md5 + "\n  size: 0\n  hash: md5\n  path: f\n",
			"outs:\n- blake3: " + blake3 + "\n  size: 0\n  hash: blake3\n  path: f\n",
		},
		"a directory": {
			"outs:\n- md5: " + md5 + ".dir\n  size: 0\n  nfiles: 0\n  hash: md5\n  path: d\n",
			"outs:\n- blake3: " + blake3 + ".dir\n  size: 0\n  nfiles: 0\n  hash: blake3\n  path: d\n",
		},
		"in an order of its own, with comments": {
			"# top\nouts:\n  - path: f # here\n    hash: md5\n    md5: " + md5 + "  # content\n    size: 0\n    desc: 'a: b'\n",
			"# top\nouts:\n  - path: f # here\n    hash: blake3\n    blake3: " + blake3 + "  # content\n    size: 0\n    desc: 'a: b'\n",
		},
		"two entries": {
			"outs:\n- path: f\n  md5: " + md5 + "\n  size: 0\n  hash: md5\n- path: g\n  hash: md5\n  md5: " + md5 + "\n  size: 0\n",
			"outs:\n- path: f\n  blake3: " + blake3 + "\n  size: 0\n  hash: blake3\n- path: g\n  hash: blake3\n  blake3: " + blake3 + "\n  size: 0\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := func(text, hash, digest string) string {
				t.Helper()
				f, err := ParseData("f.dvc", []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				for i := range f.Outs {
					f.Outs[i].Hash, f.Outs[i].Digest = hash, digest
					if f.Outs[i].Files >= 0 {
						f.Outs[i].Digest += ".dir"
					}
				}
				out, err := f.Recast()
				if err != nil {
					t.Fatal(err)
				}
				return string(out)
			}
			if diff := cmp.Diff(c.now, to(c.was, "blake3", blake3)); diff != "" {
				t.Errorf("there (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.was, to(c.now, "md5", md5)); diff != "" {
				t.Errorf("and back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestListedFiles reads an entry of a cloud-versioned directory: its digest
// follows from its files, and its text stays.
func TestListedFiles(t *testing.T) {
	const text = `outs:
- hash: md5
  path: d
  files:
  - relpath: b
    md5: 2fc57d6f63a9ee7e2f21a26fa522e3b6
    size: 3
    cloud:
      r:
        etag: x
        version_id: v2
  - relpath: a
    md5: b026324c6904b2a9cb4b88d6d61c81d1
    size: 2
    cloud:
      r:
        etag: y
        version_id: v1
`
	f, err := ParseData("d.dvc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := &f.Outs[0].Entry
	if e.Digest != "3845349db8a955eea14669faafb286e4.dir" || !e.Listed || e.Size != 5 || e.Files != 2 {
		t.Errorf("got %+v", e)
	}
	want := []CloudFile{
		{Path: "b", Digest: "2fc57d6f63a9ee7e2f21a26fa522e3b6", Size: 3, Remote: "r", Version: "v2"},
		{Path: "a", Digest: "b026324c6904b2a9cb4b88d6d61c81d1", Size: 2, Remote: "r", Version: "v1"},
	}
	if diff := cmp.Diff(want, e.CloudFiles()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	out, err := f.Encode()
	if err != nil || string(out) != text {
		t.Errorf("%v, written as\n%s", err, out)
	}
}

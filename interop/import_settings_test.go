//go:build interop

package interop

import (
	"path/filepath"
	"strings"
	"testing"
)

// settledImports are imports of which only the source is recorded, and such with
// settings of their own; OTHER is a remote that the source does not know of.
var settledImports = []struct{ out, args string }{
	{"noexec", "import SOURCE data --no-exec -o noexec"},
	{"noexec.txt", "import-url --no-exec OUTSIDE/file.txt noexec.txt"},
	{"verified", "import SOURCE data/a -o verified --remote-config verify=true"},
	{"other", "import SOURCE data/a -o other --remote other --remote-config url=OTHER"},
	{"configured", "import SOURCE data/a -o configured --config OUTSIDE/config"},
	{"settled.txt", "import-url OUTSIDE/file.txt settled.txt --fs-config verify=true"},
}

// TestImportSettings compares what both tools record of --no-exec, --config,
// --remote-config and --fs-config, and has each use what the other recorded.
func TestImportSettings(t *testing.T) {
	t.Parallel()
	if len(tools) == 0 {
		t.Skip("FLOW_TEST_DVC does not name DVC's executable: there is nothing to compare with")
	}
	from := source(t)
	other := filepath.Join(t.TempDir(), "other")
	_, store, _ := strings.Cut(from.read(".dvc/config"), "url = ")
	store = strings.TrimSpace(store)
	if !filepath.IsAbs(store) {
		store = filepath.Join(from.path(".dvc"), store)
	}
	from.script("cp -R " + store + " " + other)
	// Nothing is to be had from the source's cache or, unless it is shown, its remote.
	hide, show := "rm -rf .dvc/cache; mv "+store+" "+store+".hidden", "mv "+store+".hidden "+store
	from.script(hide)
	made := map[string]*importer{}
	for _, tool := range []string{"dvc", "flow"} {
		p := newImporter(t, tool, from)
		write(t, filepath.Join(p.outside, "config"), "['remote \"store\"']\n    url = "+other+"\n", 0o666)
		for _, im := range settledImports {
			args := strings.ReplaceAll(im.args, "OTHER", other)
			if im.out == "verified" {
				// Its remote is the default one, which is there again for a moment.
				from.script(show)
			}
			p.run(tool, args).ok()
			if im.out == "verified" {
				from.script(hide)
			}
			p.script("rm -rf .dvc/cache")
		}
		made[tool] = p
	}
	for _, im := range settledImports {
		want, got := made["dvc"].described(im.out+".dvc"), made["flow"].described(im.out+".dvc")
		if want == "" || want != got {
			t.Errorf("%s: DVC wrote\n%sflow wrote\n%s", im.args, want, got)
		}
	}
	for _, by := range pairs {
		p := made[by[0]]
		twin := &importer{project: p.copy(), source: p.source, outside: p.outside, server: p.server}
		twin.script("rm -rf other configured")
		twin.exec(by[1], "pull", "other.dvc", "configured.dvc").ok()
		for _, name := range []string{"other", "configured"} {
			if want, got := p.read(name), twin.read(name); want == "" || want != got {
				t.Errorf("%s imported %s, %s pulls %q, not %q", by[0], name, by[1], got, want)
			}
		}
		// An update makes them whole, each by the other and by itself.
		from.script(show)
		twin.exec(by[1], "update", "noexec.dvc", "noexec.txt.dvc").ok()
		p.exec(by[0], "update", "noexec.dvc", "noexec.txt.dvc").ok()
		from.script(hide)
		for _, name := range []string{"noexec.dvc", "noexec.txt.dvc", "noexec/a", "noexec/deep/b", "noexec.txt"} {
			if want, got := p.read(name), twin.read(name); want == "" || want != got {
				t.Errorf("%s recorded, and updated to\n%s; %s updates %s to\n%s", by[0], want, by[1], name, got)
			}
		}
	}
}

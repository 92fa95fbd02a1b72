package project

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// isolate keeps the configuration of whoever runs the tests out of them.
func isolate(t *testing.T) {
	t.Helper()
	outer := t.TempDir()
	for _, f := range []*Format{Native, DVC} {
		t.Setenv(f.systemEnv, filepath.Join(outer, f.Name, "system"))
		t.Setenv(f.globalEnv, filepath.Join(outer, f.Name, "global"))
	}
}

// write makes a file with its directories.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func loadText(t *testing.T, f *Format, text string) (*Config, error) {
	t.Helper()
	control := filepath.Join(t.TempDir(), f.Control)
	write(t, filepath.Join(control, "config"), text)
	return LoadConfig(f, control)
}

// The golden file holds what DVC says to each of these files.
func TestConfigLikeDVC(t *testing.T) {
	isolate(t)
	var cases []struct{ Name, File, Error string }
	data, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 40 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			_, err := loadText(t, DVC, c.File)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.Error {
				t.Errorf("file:\n%s\ngot  %q\nwant %q", c.File, got, c.Error)
			}
		})
	}
}

func TestConfigValues(t *testing.T) {
	isolate(t)
	for _, c := range []struct{ line, want string }{
		{`v = plain text  `, "plain text"},
		{`v=a=b`, "a=b"},
		{`v = "quo ted" # comment`, "quo ted"},
		{`v = 'it is "so"'`, `it is "so"`},
		{`v = bare # comment`, "bare"},
		{`v = bare#comment`, "bare"},
		{`v = `, ""},
		{`v = # comment`, ""},
		{`v = a, b ,"c, d"`, "a|b|c, d"},
		{`v = a,`, "a"},
		{`v = ,`, ""},
		{`"v" = x`, "x"},
		{`V = x`, "x"},
		{`v = """one "line" here""" # c`, `one "line" here`},
		{"v = '''two\n  lines'''", "two\n  lines"},
		{`v = "a" "b"`, `a" "b`},
	} {
		t.Run(c.line, func(t *testing.T) {
			f, err := parseINI([]byte("# top\n[s]\n    " + c.line + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			e := f.root.sections[0].find("v")
			got, ok := e.value.(string)
			if !ok {
				got = strings.Join(e.value.([]string), "|")
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestConfigLevels(t *testing.T) {
	isolate(t)
	root := t.TempDir()
	write(t, filepath.Join(os.Getenv("DVC_SYSTEM_CONFIG_DIR"), "config"), "[core]\nremote = sys\nanalytics = false\n")
	write(t, filepath.Join(os.Getenv("DVC_GLOBAL_CONFIG_DIR"), "config"), "[core]\nremote = glob\nchecksum_jobs = 3\n")
	write(t, filepath.Join(root, ".dvc/config"), "[core]\nremote = proj\n['remote \"R\"']\nurl = ../data\n[cache]\ntype = \"hardlink,symlink\"\ndir = /abs\n")
	write(t, filepath.Join(root, ".dvc/flow.config"), "[flow]\njobs = 7\n")
	write(t, filepath.Join(root, ".dvc/config.local"), "['remote \"r\"']\nprofile_is_not_for_local = 1\n")
	if _, err := LoadConfig(DVC, filepath.Join(root, ".dvc")); err == nil {
		t.Error("a key that the remote cannot have passed")
	}
	write(t, filepath.Join(root, ".dvc/config.local"), "[core]\nremote = LOC\n['remote \"r\"']\njobs = 4\n")
	c, err := LoadConfig(DVC, filepath.Join(root, ".dvc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ section, key, value string }{
		{"core", "remote", "LOC"}, {"core", "analytics", "false"}, {"core", "checksum_jobs", "3"},
		{"remote.r", "url", filepath.Join(root, "data")}, {"remote.r", "jobs", "4"}, {"cache", "dir", "/abs"}, {"flow", "jobs", "7"},
	} {
		if got, ok := c.Get(want.section, want.key); !ok || got != want.value {
			t.Errorf("%s.%s: got %q, %v, want %q", want.section, want.key, got, ok, want.value)
		}
	}
	if got := c.List("cache", "type"); !cmp.Equal(got, []string{"hardlink", "symlink"}) {
		t.Errorf("cache.type: %q", got)
	}
	if c.Bool("core", "analytics", true) || !c.Bool("core", "check_update", true) || c.Int("flow", "jobs", 0) != 7 {
		t.Error("typed values are wrong")
	}
	if name, _ := c.DefaultRemote(); name != "loc" {
		t.Errorf("default remote %q", name)
	}
	if e := c.Origin("core", "checksum_jobs"); e == nil || e.Level != GlobalLevel || e.Line != 3 {
		t.Errorf("origin: %+v", e)
	}
}

func TestFlowSection(t *testing.T) {
	isolate(t)
	if _, err := loadText(t, DVC, "[flow]\njobs = 2\n"); err == nil {
		t.Error("a DVC project took a section that DVC refuses")
	}
	if c, err := loadText(t, Native, "[flow]\njobs = 2\n[core]\njobs = 3\n"); err != nil || c.Int("flow", "jobs", 0) != 2 {
		t.Errorf("native project: %v", err)
	}
	if _, err := loadText(t, Native, "[flow]\nnope = 2\n"); err == nil || err.Error() != "config file error: extra keys not allowed @ data['flow']['nope']" {
		t.Errorf("unknown key: %v", err)
	}
	root := t.TempDir()
	write(t, filepath.Join(root, ".dvc/config"), "")
	c, err := LoadConfig(DVC, filepath.Join(root, ".dvc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ProjectLevel, "flow.jobs", "5"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(root, ".dvc/flow.config")); got != "[flow]\n    jobs = 5\n" {
		t.Errorf("flow.config: %q", got)
	}
	if got := read(t, filepath.Join(root, ".dvc/config")); got != "" {
		t.Errorf("config: %q", got)
	}
	if err := c.Set(LocalLevel, "flow.jobs", "5"); err == nil {
		t.Error("flow's section went into config.local of a DVC project")
	}
	write(t, filepath.Join(root, ".dvc/flow.config"), "[core]\nremote = x\n")
	if _, err := LoadConfig(DVC, filepath.Join(root, ".dvc")); err == nil {
		t.Error("flow.config took a section of DVC's")
	}
}

func TestConfigEdit(t *testing.T) {
	isolate(t)
	const text = "# top\n\n[core]\n  # which\n  remote = r1   # the default\n  analytics = false\n\n# the remote\n['remote \"r1\"']\n\turl = s3://b/p\n# end\n"
	for _, c := range []struct {
		name string
		do   func(*Config) error
		old  string
		new  string
	}{
		{"replace keeps the comment", func(c *Config) error { return c.Set(ProjectLevel, "core.remote", "r1x") }, "remote = r1 ", "remote = r1x "},
		{"append takes the indent", func(c *Config) error { return c.Set(ProjectLevel, "core.autostage", "true") }, "= false\n", "= false\n  autostage = true\n"},
		{"append to a remote", func(c *Config) error { return c.Set(ProjectLevel, "remote.r1.region", "a, b") }, "b/p\n", "b/p\n\tregion = \"a, b\"\n"},
		{"new plain section before the remotes", func(c *Config) error { return c.Set(ProjectLevel, "cache.type", "copy") }, "# the remote", "[cache]\n    type = copy\n# the remote"},
		{"new remote at the end", func(c *Config) error { return c.Set(ProjectLevel, "remote.R2.url", "gs://x/y") }, "# end\n", "# end\n['remote \"r2\"']\n    url = gs://x/y\n"},
		{"unset", func(c *Config) error { return c.Unset(ProjectLevel, "core.analytics") }, "  analytics = false\n", ""},
		{"rename", func(c *Config) error { return c.RenameSection(ProjectLevel, "remote.r1", "remote.r9") }, "\"r1\"", "\"r9\""},
		{"remove", func(c *Config) error { return c.RemoveSection(ProjectLevel, "remote.r1") }, "# the remote\n['remote \"r1\"']\n\turl = s3://b/p\n", ""},
	} {
		for _, nl := range []string{"\n", "\r\n"} {
			t.Run(c.name, func(t *testing.T) {
				file := strings.ReplaceAll(text, "\n", nl)
				control := filepath.Join(t.TempDir(), ".dvc")
				path := filepath.Join(control, "config")
				write(t, path, file)
				config, err := LoadConfig(DVC, control)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.do(config); err != nil {
					t.Fatal(err)
				}
				old, replacement := strings.ReplaceAll(c.old, "\n", nl), strings.ReplaceAll(c.new, "\n", nl)
				if strings.Count(file, old) != 1 {
					t.Fatalf("%q is not in the file once", old)
				}
				if diff := cmp.Diff(strings.Replace(file, old, replacement, 1), read(t, path)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// What DVC writes for the same commands.
func TestConfigWritesLikeDVC(t *testing.T) {
	isolate(t)
	root := t.TempDir()
	t.Chdir(root)
	write(t, filepath.Join(root, ".dvc/config"), "[core]\n    no_scm = True\n")
	c, err := LoadConfig(DVC, filepath.Join(root, ".dvc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{
		{"cache.dir", "mycache"}, {"cache.type", "hardlink,symlink"}, {"remote.r1.url", "rel/x"}, {"core.remote", "r1"},
		{"remote.r2.url", "s3://b/p"}, {"remote.R3.url", "~/foo"}, {"core.autostage", "TRUE"},
		{"remote.r2.access_key_id", `a#b"c`}, {"remote.r2.secret_access_key", "x, 'y"},
	} {
		if err := c.Set(ProjectLevel, kv[0], kv[1]); err != nil {
			t.Fatalf("%s: %v", kv[0], err)
		}
	}
	const want = `[core]
    no_scm = True
    remote = r1
    autostage = TRUE
[cache]
    dir = ../mycache
    type = "hardlink,symlink"
['remote "r1"']
    url = ../rel/x
['remote "r2"']
    url = s3://b/p
    access_key_id = 'a#b"c'
    secret_access_key = "x, 'y"
['remote "r3"']
    url = ~/foo
`
	if diff := cmp.Diff(want, read(t, filepath.Join(root, ".dvc/config"))); diff != "" {
		t.Error(diff)
	}
	home, _ := os.UserHomeDir()
	var names []string
	for _, r := range c.Remotes() {
		names = append(names, r.Name+"="+r.URL)
	}
	wantRemotes := []string{"r1=" + filepath.Join(root, "rel/x"), "r2=s3://b/p", "r3=" + home + "/foo"}
	if diff := cmp.Diff(wantRemotes, names); diff != "" {
		t.Error(diff)
	}
	if e := c.Entries(ProjectLevel); e[0].Section != "remote.r1" || e[len(e)-1].Key != "type" {
		t.Errorf("entries are not in DVC's order: %+v", e)
	}
}

func TestConfigEditErrors(t *testing.T) {
	isolate(t)
	control := filepath.Join(t.TempDir(), ".dvc")
	path := filepath.Join(control, "config")
	write(t, path, "[core]\nremote = r1\n")
	c, err := LoadConfig(DVC, control)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"unknown key", c.Set(ProjectLevel, "core.nope", "1"), "extra keys not allowed @ data['core']['nope']"},
		{"unset key", c.Unset(ProjectLevel, "core.autostage"), "option 'autostage' doesn't exist in section 'core'"},
		{"unset section", c.Unset(ProjectLevel, "cache.type"), "section 'cache' doesn't exist"},
		{"scheme", c.Set(ProjectLevel, "remote.x.url", "foo://b/c"), "Unsupported URL type foo:// for dictionary value @ data['remote']['x']"},
		{"no url", c.Set(LocalLevel, "remote.r9.jobs", "3"), "expected 'url' for dictionary value @ data['remote']['r9']"},
		{"bad name", c.Set(ProjectLevel, "core", "3"), "should look like remote.name.option"},
		{"bad remote name", c.Set(ProjectLevel, `remote.a"b.url`, "3"), "has a quote"},
		{"no remote", c.RemoveSection(ProjectLevel, "remote.zz"), "remote 'zz' doesn't exist."},
		{"no level", c.Set(Level(9), "core.remote", "3"), "no level 9 level"},
	} {
		var ce *ConfigError
		if !errors.As(tc.err, &ce) || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, tc.err, tc.want)
		}
	}
	if got := read(t, path); got != "[core]\nremote = r1\n" {
		t.Errorf("a refused change was written: %q", got)
	}
	outside, err := LoadConfig(DVC, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := outside.Set(ProjectLevel, "core.remote", "x"); err == nil {
		t.Error("set the configuration of a project outside any")
	}
	if err := outside.Set(GlobalLevel, "core.remote", "x"); err != nil {
		t.Error(err)
	}
}

func TestRemoteReference(t *testing.T) {
	isolate(t)
	c, err := loadText(t, DVC, `['remote "base"']
url = s3://b/p
region = eu
['remote "sub"']
url = remote://base/x/y
region = us
['remote "loop"']
url = remote://loop/x
['remote "disk"']
url = /data
['remote "under"']
url = remote://disk/z
['remote "lost"']
url = remote://none/z
`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Remote("SUB")
	want := Remote{Name: "sub", URL: "s3://b/p/x/y", Options: map[string]string{"region": "us"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err := c.Remote("under"); err != nil || filepath.ToSlash(got.URL) != "/data/z" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, name := range []string{"loop", "lost", "nope"} {
		if _, err := c.Remote(name); err == nil {
			t.Errorf("remote %s resolved", name)
		}
	}
}

// Quoting must survive a write and a read, whatever the value.
func FuzzConfigValue(f *testing.F) {
	for _, s := range []string{"", "a", `"`, "'", `a"b'c`, "x, y", "#", " lead", "tail ", "two\nlines", `"""`, "%(x)", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		ini, err := parseINI([]byte("[s]\nk = 1\n"))
		if err != nil {
			t.Fatal(err)
		}
		data, err := ini.set(sectionName{top: "s"}, "v", value)
		if err != nil {
			return
		}
		again, err := parseINI(data)
		if err != nil {
			t.Fatalf("%q written as %q: %v", value, data, err)
		}
		if got := again.root.sections[0].find("v").value; got != value {
			t.Errorf("%q written as %q came back as %q", value, data, got)
		}
	})
}

// Reading never fails badly, and edits leave the rest alone.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("[core]\n    remote = x # y\n['remote \"a\"']\nurl = s3://b\n"))
	f.Add([]byte("a = '''x\ny'''\n[[deep]]\n[b]\n[[c]]\nd=1\n"))
	f.Add([]byte("\xef\xbb\xbf[core]\r\nremote = \"a,b\",\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ini, err := parseINI(data)
		if err != nil {
			return
		}
		name := sectionName{top: "zz"}
		if ini.find(name) != nil {
			return
		}
		added, err := ini.set(name, "k", "v")
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseINI(added)
		if err != nil {
			t.Fatalf("%q became %q: %v", data, added, err)
		}
		s := again.find(name)
		if s == nil || s.find("k") == nil || s.find("k").value != "v" {
			t.Fatalf("%q became %q: the new key is lost", data, added)
		}
		removed, err := again.unset(name, "k")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.TrimRight(string(removed), "\r\n"), strings.TrimRight(string(data), "\r\n"); got != want && !strings.Contains(want, "zz") {
			t.Errorf("%q became %q after adding and removing", data, removed)
		}
	})
}

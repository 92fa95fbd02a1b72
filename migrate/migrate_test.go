package migrate_test

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine"
	"github.com/flowrepro/flow/engine/pipeline"
	"github.com/flowrepro/flow/migrate"
	"github.com/flowrepro/flow/project"
	"github.com/flowrepro/flow/stages"
)

// opened is a project that is open as a command has it.
type opened struct {
	*project.Project
	store  *cache.Store
	memo   *cache.Memo
	set    *pipeline.Set
	engine *engine.Engine
}

// failer is what both *testing.T and *rapid.T are.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func open(t failer, root string) *opened {
	t.Helper()
	p, err := project.Find(root)
	if err != nil {
		t.Fatal(err)
	}
	o := &opened{Project: p, memo: cache.OpenMemo(filepath.Join(p.StateDir(), "memo"), time.Now)}
	if o.store, err = cache.Open(cache.Options{Dir: p.CacheDir(), Hash: p.Format.Hash, Memo: o.memo, Temp: p.TempDir()}); err != nil {
		t.Fatal(err)
	}
	ignore := project.NewIgnore(p.Root)
	if o.set, err = pipeline.Load(pipeline.Options{Root: p.Root, Ignored: ignore.Match}); err != nil {
		t.Fatal(err)
	}
	o.engine, err = engine.New(engine.Options{
		Project: p, Store: o.store, Memo: o.memo, Pipeline: o.set, Stages: stages.NewRegistry(), Ignore: ignore, Dir: ".", Command: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// migration begins the conversion of a project to the other format.
func (o *opened) migration(t failer, progress func(migrate.Progress)) *migrate.Migration {
	t.Helper()
	to := project.DVC
	if o.Format == project.DVC {
		to = project.Native
	}
	m, err := migrate.New(migrate.Options{
		Project: o.Project, Store: o.store, Memo: o.memo, Pipeline: o.set, Engine: o.engine, To: to, Workers: 2, Progress: progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// convert converts a project and opens it in its new format.
func (o *opened) convert(t failer) (*opened, *migrate.Report) {
	t.Helper()
	m := o.migration(t, nil)
	if err := m.Convert(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Switch(context.Background()); err != nil {
		t.Fatal(err)
	}
	return open(t, o.Root), m.Report()
}

// put writes files, those whose names end in .sh executable, and tracks what is at
// the top.
func put(t failer, root string, format *project.Format, files map[string]string) *opened {
	t.Helper()
	if _, err := project.Init(root, format, project.InitOptions{NoSCM: true}); err != nil {
		t.Fatal(err)
	}
	tops := map[string]bool{}
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		top, _, _ := strings.Cut(name, "/")
		tops[filepath.Join(root, top)] = true
	}
	o := open(t, root)
	if _, err := o.engine.Add(context.Background(), engine.AddRequest{Paths: slices.Sorted(maps.Keys(tops))}); err != nil {
		t.Fatal(err)
	}
	if err := o.engine.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, root)
}

// tree is what a project has outside of its control directory, by path: what its
// owner may do, and the text.
func tree(t failer, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".flow" || d.Name() == ".dvc"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		data, err := os.ReadFile(path)
		fi, statErr := d.Info()
		if err = errors.Join(err, statErr); err == nil {
			rel, _ := filepath.Rel(root, path)
			files[filepath.ToSlash(rel)] = fi.Mode().String()[:4] + " " + string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func verify(t failer, o *opened) {
	t.Helper()
	rep, err := o.store.Verify(context.Background(), cache.VerifyOptions{})
	if err != nil || !rep.OK() {
		t.Fatalf("the %s cache: %+v, %v", o.Format, rep, err)
	}
}

// TestMain has fewer examples tried than usual: each is two conversions, with all
// that is synced to disk for them.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestRoundTrip converts random data there and back, whether it is in the workspace
// then or in the cache alone: what is tracked, its bytes and modes, and the .dvc
// files are as before, and both caches hold what their names say.
func TestRoundTrip(t *testing.T) {
	for format, pattern := range map[*project.Format]string{
		// DVC's has no place for the modes of what is in directories.
		project.DVC:    `one(\.sh)?|d/[ab]|d/e/[ab]|é/[a-c]`,
		project.Native: `(one|d/[ab]|d/e/[ab]|é/[a-c])(\.sh)?`,
	} {
		t.Run(format.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				names := rapid.SliceOfNDistinct(rapid.StringMatching(pattern), 1, 6, rapid.ID).Draw(t, "names")
				files := map[string]string{}
				for _, name := range names {
					files[name] = rapid.SampledFrom([]string{"", "same", "other", "x\ny\n"}).Draw(t, name)
				}
				root, err := os.MkdirTemp("", "migrate-")
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(root)
				o := put(t, root, format, files)
				before := tree(t, root)
				there, rep := o.convert(t)
				if there.Format == format || len(rep.Missing)+len(rep.Damaged)+len(rep.Incomplete) > 0 {
					t.Fatalf("converted to %s: %+v", there.Format, rep)
				}
				verify(t, there)
				if absent := rapid.Bool().Draw(t, "absent"); absent {
					for name := range files {
						if err := os.RemoveAll(filepath.Join(root, filepath.FromSlash(name))); err != nil {
							t.Fatal(err)
						}
					}
				}
				back, _ := there.convert(t)
				verify(t, back)
				if _, err := back.engine.Checkout(context.Background(), engine.CheckoutRequest{}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, tree(t, root)); diff != "" {
					t.Fatalf("there and back: %s", diff)
				}
			})
		})
	}
}

// TestInterrupted ends a conversion in its middle: the project is as it was, and
// the next one goes on where it was.
func TestInterrupted(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		files["d/"+strings.Repeat("n", i+1)] = strings.Repeat("text", i)
	}
	root := t.TempDir()
	o := put(t, root, project.DVC, files)
	before := tree(t, root)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, len(files)+2)
	m := o.migration(t, func(p migrate.Progress) {
		if p.Objects > 0 {
			if done <- struct{}{}; len(done) == 10 {
				cancel()
			}
		}
	})
	if err := m.Convert(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted conversion: %v", err)
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Fatal(diff)
	}
	verify(t, open(t, root))
	there, rep := open(t, root).convert(t)
	if rep.Resumed < 8 {
		t.Errorf("%d objects were not converted again, want most of 10", rep.Resumed)
	}
	verify(t, there)
}

// TestNothingIsLost refuses to convert what is damaged or missing; the project
// stays as it is.
func TestNothingIsLost(t *testing.T) {
	for name, harm := range map[string]func(file string) error{
		"missing": os.Remove,
		"damaged": func(file string) error {
			return errors.Join(os.Chmod(file, 0o644), os.WriteFile(file, []byte("TEXT"), 0o444))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			o := put(t, root, project.Native, map[string]string{"one": "text", "two": "more"})
			d := o.set.Stages[0].Data.Outs[0].Digest
			digest, err := cache.ParseDigest(cache.BLAKE3, d)
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(o.store.Path(digest)); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(root, o.set.Stages[0].Outs[0].Path)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, root)
			m := open(t, root).migration(t, nil)
			if err := m.Survey(context.Background()); err != nil {
				t.Fatal(err)
			}
			err = m.Convert(context.Background())
			var missing *migrate.MissingError
			if !errors.As(err, &missing) || len(missing.List) != 1 || missing.List[0].Digest != d || !strings.Contains(missing.Hint(), "flow fetch") {
				t.Fatalf("the object is %s: %v", name, err)
			}
			if got := len(m.Report().Damaged); (got == 1) != (name == "damaged") {
				t.Errorf("%d damaged objects are told", got)
			}
			if diff := cmp.Diff(before, tree(t, root)); diff != "" {
				t.Error(diff)
			}
			if p := open(t, root); p.Format != project.Native {
				t.Errorf("the project is %s now", p.Format)
			}
		})
	}
}

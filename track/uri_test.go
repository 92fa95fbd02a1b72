package track_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/track"
)

func TestParseModelURI(t *testing.T) {
	id := "m-0123456789abcdef0123456789abcdef"
	for text, want := range map[string]track.ModelURI{
		"models:/sentiment@production": {Name: "sentiment", Alias: "production"},
		"models:/sentiment/3":          {Name: "sentiment", Version: 3},
		"models:/sentiment/production": {Name: "sentiment", Stage: "Production"},
		"models:/sentiment/STAGING":    {Name: "sentiment", Stage: "Staging"},
		"models:/sentiment/None":       {Name: "sentiment", Stage: "None"},
		"models:/sentiment/latest":     {Name: "sentiment", Latest: true},
		"models:/my model.v2/Latest":   {Name: "my model.v2", Latest: true},
		"models:/" + id:                {ModelID: id},
		"runs:/0123abc/model":          {RunID: "0123abc", Path: "model"},
		"runs:/0123abc/a/b/":           {RunID: "0123abc", Path: "a/b"},
		"runs:/0123abc":                {RunID: "0123abc"},
		"s3://bucket/models/a":         {Remote: "s3://bucket/models/a"},
		"models/sentiment":             {Dir: "models/sentiment"},
		"/srv/models":                  {Dir: "/srv/models"},
		".":                            {Dir: "."},
		`C:\models\a`:                  {Dir: `C:\models\a`},
		"file:///srv/my%20models":      {Dir: filepath.FromSlash("/srv/my models")},
		"file:/srv/models":             {Dir: filepath.FromSlash("/srv/models")},
		"file://localhost/srv/models":  {Dir: filepath.FromSlash("/srv/models")},
	} {
		got, err := track.ParseModelURI(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", text, d)
		}
		back, err := track.ParseModelURI(got.String())
		if err != nil || back != got {
			t.Errorf("%s is written %s, which reads as %+v, %v", text, got, back, err)
		}
	}
	for _, text := range []string{
		"", " ", "models:", "models:/", "models://host/a/1", "models:sentiment/1", "models:/a", "models:/a/", "models:/a/0", "models:/a/-1", "models:/a/+1",
		"models:/a/1/2", "models:/a/Live", "models:/a@", "models:/@b", "models:/a@b c", "models:/a@latest", "models:/a@v3", "models:/a/b@c",
		"models:/../1", "models:/" + id + "/x", "runs:/", "runs://a/b", "runs:a/b", "runs:/a/../b", "runs:/a/b\\c", "s3:", "s3://", "gs://b/x", "file://host/x", "http://h/x",
	} {
		if got, err := track.ParseModelURI(text); !errors.Is(err, track.ErrInvalid) {
			t.Errorf("%q reads as %+v, %v", text, got, err)
		}
	}
}

func FuzzParseModelURI(f *testing.F) {
	for _, s := range []string{"models:/a@b", "models:/a/3", "models:/a/latest", "runs:/a/b/c", "s3://b/c", "file:///x%41", "a/b", "models:/m-0123456789abcdef0123456789abcdef"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := track.ParseModelURI(text)
		if err != nil {
			return
		}
		if strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "../") || u.Path == ".." {
			t.Errorf("%q has the path %q", text, u.Path)
		}
		if u.Local() {
			return // a directory's name may look like anything
		}
		back, err := track.ParseModelURI(u.String())
		if err != nil || back != u {
			t.Errorf("%q is %+v, written %q, which is %+v, %v", text, u, u.String(), back, err)
		}
	})
}

func TestLocalRoot(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the paths are POSIX")
	}
	for root, want := range map[string]string{
		"mlruns/1": "/base/mlruns/1", "./mlruns/1/../2": "/base/mlruns/2", "/abs/x": "/abs/x", "file:///abs/x%20y": "/abs/x y",
		"../x": "", "": "", "s3://b/x": "", "mlflow-artifacts:/1": "", "file://host/x": "", "mlruns/../../x": "",
	} {
		if got, ok := track.LocalRoot("/base", root); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v, want %q", root, got, ok, want)
		}
	}
}

package cmd_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts of testdata/script: each is a project and what
// flow does in it. Besides testscript's own commands they have
//
//	code N program [argument]...   the program must end with the exit code N
//	edit file old new              replaces a text that occurs once
//	model directory                write a small model, of a few words
//
// and $WEB is the URL of a server that has the files of $WORK.
//
// Those in both/ run in both formats, with $FORMAT and $CONTROL set and the
// conditions [native] and [dvc], those in native/ and dvc/ in that one.
func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts' stages are written for a POSIX shell")
	}
	for _, format := range []string{"native", "dvc"} {
		t.Run(format, func(t *testing.T) {
			dirs := []string{filepath.Join("testdata", "script", "both")}
			own := filepath.Join("testdata", "script", format)
			if _, err := os.Stat(own); err == nil {
				dirs = append(dirs, own)
			}
			for _, dir := range dirs {
				testscript.Run(t, params(t, dir, format))
			}
		})
	}
}

func params(t *testing.T, dir, format string) testscript.Params {
	outside := t.TempDir()
	return testscript.Params{
		Dir:                dir,
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			// What belongs to the user lies outside the project.
			home := filepath.Join(outside, filepath.Base(e.WorkDir))
			if err := os.MkdirAll(home, 0o777); err != nil {
				return err
			}
			control := ".flow"
			if format == "dvc" {
				control = ".dvc"
			}
			for _, kv := range [][2]string{
				{"FORMAT", format}, {"CONTROL", control}, {"GORACE", os.Getenv("GORACE")},
				{"HOME", home}, {"SHELL", "/bin/sh"}, {"LC_ALL", "C.UTF-8"},
				{"GIT_CONFIG_GLOBAL", filepath.Join(home, "gitconfig")}, {"GIT_CONFIG_NOSYSTEM", "1"},
				{"GIT_AUTHOR_NAME", "A U Thor"}, {"GIT_AUTHOR_EMAIL", "author@example.com"},
				{"GIT_COMMITTER_NAME", "A U Thor"}, {"GIT_COMMITTER_EMAIL", "author@example.com"},
				{"GIT_CEILING_DIRECTORIES", filepath.Dir(e.WorkDir)},
				{"DVC_GLOBAL_CONFIG_DIR", filepath.Join(home, "config")},
				{"DVC_SYSTEM_CONFIG_DIR", filepath.Join(home, "system")},
				{"XDG_CONFIG_HOME", filepath.Join(home, "xdg")},
				{"WEB", serveFiles(e)},
			} {
				e.Setenv(kv[0], kv[1])
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "native" && cond != "dvc" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return cond == format, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": scriptCode, "edit": scriptEdit, "model": scriptModel},
	}
}

// serveFiles serves the working directory of a script, with strong entity tags,
// until the script ends.
func serveFiles(e *testscript.Env) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(filepath.Join(e.WorkDir, filepath.FromSlash(path.Clean("/"+r.URL.Path))))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	e.Defer(server.Close)
	return server.URL
}

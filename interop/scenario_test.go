//go:build interop

package interop

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scenarios are the names of all tests beside DVC, as the tests themselves make
// them: those of the cases where a test has some, else of the test.
func scenarios(t *testing.T) []string {
	t.Helper()
	cases := map[string][]string{
		"TestHistory":           nil,
		"TestMigrated":          {"native to DVC and back", "DVC to native and back"},
		"TestVersionedPull":     {"version_aware", "worktree"},
		"TestRunCacheOfOthers":  {"dvc computes", "flow computes"},
		"TestImportPull":        {"dvc imports", "flow imports"},
		"TestImportUpdate":      {"dvc imports", "flow imports"},
		"TestImportFromS3":      {"dvc imports", "flow imports"},
		"TestSideBySide":        {"dvc first", "flow first"},
		"TestBusy":              {"flow while dvc runs", "dvc while flow runs"},
		"TestTransfers":         nil,
		"TestShapes":            nil,
		"TestScenariosAreNamed": {},
	}
	for _, c := range transferCases() {
		for _, by := range pairs {
			cases["TestTransfers"] = append(cases["TestTransfers"], c.name+"/"+by[0]+" pushes")
		}
	}
	for _, flag := range historyFlags {
		for _, verb := range []string{"push", "fetch", "status", "gc"} {
			cases["TestHistory"] = append(cases["TestHistory"], verb+" "+flagName(flag))
		}
	}
	for _, size := range sizeLimits {
		cases["TestHistory"] = append(cases["TestHistory"], "max-size "+size)
	}
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archives {
		cases["TestShapes"] = append(cases["TestShapes"], strings.TrimSuffix(filepath.Base(file), ".txtar"))
	}
	var names []string
	for _, test := range testsBesideDVC(t) {
		list, some := cases[test]
		if !some {
			names = append(names, test)
		}
		for _, c := range list {
			names = append(names, test+"/"+strings.ReplaceAll(c, " ", "_"))
		}
	}
	slices.Sort(names)
	return names
}

// testsBesideDVC are the test functions of the files that are not about Python's
// libraries.
func testsBesideDVC(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "scenario_test.go" && strings.Contains(string(text), `"FLOW_TEST_PYTHON"`) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

var scenarioRow = regexp.MustCompile("(?m)^\\| .* \\| `(Test[^`]*)` \\|$")

// TestScenariosAreNamed compares the table of docs/interop.md with the tests that
// there are.
func TestScenariosAreNamed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "interop.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, row := range scenarioRow.FindAllSubmatch(text, -1) {
		told = append(told, string(row[1]))
	}
	slices.Sort(told)
	want := scenarios(t)
	for _, name := range want {
		if !slices.Contains(told, name) {
			t.Errorf("docs/interop.md does not name %s", name)
		}
	}
	for i, name := range told {
		if !slices.Contains(want, name) {
			t.Errorf("docs/interop.md names %s, which there is not", name)
		}
		if i > 0 && told[i-1] == name {
			t.Errorf("docs/interop.md names %s twice", name)
		}
	}
	if len(told) < 40 {
		t.Errorf("docs/interop.md names %d scenarios", len(told))
	}
}

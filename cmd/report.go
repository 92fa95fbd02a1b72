package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/internal/yaml12"
	"github.com/flowrepro/flow/project"
)

// The exit codes, which are DVC's.
const (
	exitFailed      = 1
	exitConfig      = 251
	exitInterrupted = 252
	exitNoProject   = 253
	exitUsage       = 254
	exitError255    = 255
	exitBrokenPipe  = 141
)

// report prints an error and returns the exit code for it.
func (a *app) report(c *cobra.Command, err error) int {
	var (
		exit    *exitError
		usage   *usageError
		none    *project.NotFoundError
		config  *project.ConfigError
		located yaml12.Errors
		single  *yaml12.Error
	)
	code := exitError255
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	switch {
	case interruptedBy(err):
		fmt.Fprintln(a.stderr, "ERROR: interrupted by the user")
		return exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitBrokenPipe
	case errors.As(err, &usage), exit == nil && isUnknownCommand(err):
		fmt.Fprintf(a.stderr, "ERROR: %s\n", err)
		fmt.Fprint(a.stderr, c.UsageString())
		return exitUsage
	case errors.As(err, &none):
		a.printError(err)
		return exitNoProject
	case errors.As(err, &config):
		a.printError(fmt.Errorf("configuration error - %w", err))
		return exitConfig
	}
	if errors.As(err, &located) {
		a.printLocated(err, located)
		return code
	}
	if errors.As(err, &single) {
		a.printLocated(err, yaml12.Errors{single})
		return code
	}
	a.printError(err)
	return code
}

// printError prints each of joined errors with its hint.
func (a *app) printError(err error) {
	if exit, ok := err.(*exitError); ok && exit.err != nil { //nolint:errorlint // only the outermost is opened
		a.printError(exit.err)
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only the outermost join is split
		for _, e := range many.Unwrap() {
			a.printError(e)
		}
		return
	}
	fmt.Fprintf(a.stderr, "ERROR: %s\n", err)
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", h.Hint())
	}
}

// printLocated prints errors in files: the message in DVC's words, the place,
// the line with a caret, and a hint.
func (a *app) printLocated(err error, list yaml12.Errors) {
	byFile := map[string]yaml12.Errors{}
	var files []string
	for _, e := range list {
		if byFile[e.File] == nil {
			files = append(files, e.File)
		}
		byFile[e.File] = append(byFile[e.File], e)
	}
	sort.Strings(files)
	for _, file := range files {
		a.printFile(file, byFile[file])
	}
}

func (a *app) printFile(file string, list yaml12.Errors) {
	data, _ := os.ReadFile(a.locate(file)) // the excerpt is a courtesy
	shown := file
	if !strings.ContainsAny(file, "/\\") {
		shown = "./" + file
	}
	validation := 0
	for _, e := range list {
		if e.Kind == yaml12.Validation {
			validation++
		}
	}
	if validation > 0 {
		plural := ""
		if validation > 1 {
			plural = "s"
		}
		fmt.Fprintf(a.stderr, "'%s' validation failed: %d error%s.\n", shown, validation, plural)
	}
	syntax := false
	for _, e := range list {
		switch e.Kind {
		case yaml12.Syntax:
			if !syntax {
				fmt.Fprintf(a.stderr, "'%s' is invalid.\n", shown)
				syntax = true
			}
			fmt.Fprintf(a.stderr, "\n%s, line %d, column %d\n", e.Msg, e.Line, e.Column)
		case yaml12.Validation:
			where := ""
			if len(e.Path) > 0 {
				where = ", in " + strings.Join(e.Path, " -> ")
			}
			fmt.Fprintf(a.stderr, "\n%s%s, line %d, column %d\n", e.Msg, where, e.Line, e.Column)
		default:
			fmt.Fprintf(a.stderr, "ERROR: %s\n", e.Msg)
			if e.Line > 0 {
				fmt.Fprintf(a.stderr, "  %s:%d:%d\n", file, e.Line, e.Column)
			}
		}
		if e.Line > 0 && len(data) > 0 {
			fmt.Fprint(a.stderr, indent(yaml12.Excerpt(data, e.Line, e.Column)))
		}
		if h := e.Hint(); h != "" {
			fmt.Fprintf(a.stderr, "hint: %s\n", h)
		}
	}
}

// locate finds a root-relative file for its excerpt.
func (a *app) locate(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	cwd, err := os.Getwd()
	if err != nil {
		return file
	}
	p, err := project.Find(cwd)
	if err != nil {
		return file
	}
	return p.Abs(file)
}

func indent(text string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(text, "\n") {
		if l != "" {
			b.WriteString("  " + l)
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		b.WriteByte('\n')
	}
	return b.String()
}

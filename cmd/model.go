package cmd

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/track"
)

func (a *app) modelCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "model",
		Short: "Register, compare and promote models",
		Long: `Work on the registry: the project's own store in mlflow.db or, where
MLFLOW_TRACKING_URI is set, an MLflow server.

A model is addressed as name@alias, name/3, name/Production or name/latest, with
or without models:/ in front. What is in production is what the alias production
points to; the stage of that name is kept in step with it.`,
	}
	c.AddCommand(a.modelListCommand(), a.modelShowCommand(), a.modelRegisterCommand(), a.modelPromoteCommand(),
		a.modelRollbackCommand(), a.modelHistoryCommand(), a.modelDiffCommand())
	return c
}

// modelAddress reads an argument that names a registered model, and perhaps a
// version of it.
func modelAddress(arg string) (name string, u track.ModelURI, versioned bool, err error) {
	text := arg
	if !strings.HasPrefix(text, "models:") {
		text = "models:/" + text
	}
	if rest := strings.TrimPrefix(text, "models:/"); !strings.ContainsAny(rest, "@/") {
		if err := track.CheckModelName("read address", rest); err != nil {
			return "", u, false, err
		}
		return rest, u, false, nil
	}
	u, err = track.ParseModelURI(text)
	if err == nil && !u.Registered() {
		err = track.Invalid("read address", "'%s' is not a registered model", arg)
	}
	return u.Name, u, true, err
}

func (a *app) modelListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List registered models",
		Args:  cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error {
			return a.withTracking(func(t *tracking) error { return a.modelList(ctx, t, asJSON) })
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

type listedModel struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Versions    int            `json:"versions"`
	Latest      int            `json:"latest"`
	Production  int            `json:"production"`
	Staging     int            `json:"staging"`
	Aliases     map[string]int `json:"aliases"`
	Updated     *time.Time     `json:"updated"`
}

func (a *app) modelList(ctx context.Context, t *tracking, asJSON bool) error {
	models, err := t.Models(ctx)
	if err != nil {
		return err
	}
	list := []listedModel{}
	for _, m := range models {
		versions, err := t.Versions(ctx, m.Name)
		if err != nil {
			return err
		}
		l := listedModel{
			Name: m.Name, Description: m.Description, Versions: len(versions), Aliases: m.Aliases, Updated: jsonTime(m.Updated),
			Production: holder(m, versions, track.AliasProduction, track.StageProduction),
			Staging:    holder(m, versions, track.AliasStaging, track.StageStaging),
		}
		if len(versions) > 0 {
			l.Latest = versions[0].Version
		}
		list = append(list, l)
	}
	if asJSON {
		return printJSON(a.stdout, list)
	}
	if len(list) == 0 {
		a.print("No models are registered in %s.\n", t.Location())
		return nil
	}
	rows := [][]string{{"MODEL", "VERSIONS", "PRODUCTION", "STAGING", "UPDATED"}}
	for _, l := range list {
		rows = append(rows, []string{l.Name, strconv.Itoa(l.Versions), versionOrDash(l.Production), versionOrDash(l.Staging), timeText(deref(l.Updated))})
	}
	printColumns(a.stdout, a.tableWidth(), rows)
	return nil
}

// holder is the version that has an alias or else, for readers that know only
// stages, the newest in the stage; 0 if none.
func holder(m track.Model, versions []track.Version, alias, stage string) int {
	if n := m.Aliases[alias]; n > 0 {
		return n
	}
	for _, v := range versions {
		if v.Stage == stage {
			return v.Version
		}
	}
	return 0
}

func versionOrDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

type registerFlags struct {
	info, dir, description string
	json                   bool
}

func (a *app) modelRegisterCommand() *cobra.Command {
	var f registerFlags
	c := &cobra.Command{
		Use:   "register [name]",
		Short: "Register the model that was evaluated last, and put it in Staging",
		Long: `Make the model of the run in reports/experiment_info.json the next version of a
registered model, and put that version in Staging. The same model of the same
run is registered once. Where the store does not have the run, because the
results came from a cache or the project was cloned, it is logged first.

Without a name it is that of the parameter model_registration.name.`,
		Args: cobra.MaximumNArgs(1),
		RunE: run(func(ctx context.Context, args []string) error {
			return a.withTracking(func(t *tracking) error { return a.modelRegister(ctx, t, &f, args) })
		}),
	}
	fl := c.Flags()
	fl.StringVar(&f.info, "info", "", "the evaluation's `file` (default reports/experiment_info.json in the project)")
	fl.StringVar(&f.dir, "model", "", "the model's `directory`, to log a run again (default models/<name> in the project)")
	fl.StringVar(&f.description, "description", "", "`text` for a model that is new")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return c
}

func (a *app) modelRegister(ctx context.Context, t *tracking, f *registerFlags, args []string) error {
	var p struct {
		Name        string `param:"name"`
		Description string `param:"description"`
	}
	if err := t.decodeParams("model_registration", &p); err != nil {
		return err
	}
	if len(args) > 0 {
		p.Name = args[0]
	}
	if f.description != "" {
		p.Description = f.description
	}
	if p.Name == "" {
		return &exitError{exitUsage, fmt.Errorf("which model? give a name, or set model_registration.name in params.yaml")}
	}
	infoFile, dir := filepath.Join(t.root, "reports", "experiment_info.json"), filepath.Join(t.root, "models", p.Name)
	if f.info != "" {
		infoFile = t.abs(f.info)
	}
	if f.dir != "" {
		dir = t.abs(f.dir)
	}
	info, err := track.ReadInfo(infoFile)
	if err != nil {
		return err
	}
	v, err := track.Register(ctx, t, track.Registration{
		Name: p.Name, Description: p.Description, Info: info, ModelDir: dir, GitCommit: t.commit(ctx),
	})
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(a.stdout, versionJSON(v, nil))
	}
	a.print("Model '%s' version %d is in %s.\n", v.Name, v.Version, v.Stage)
	return nil
}

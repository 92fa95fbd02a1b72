package cmd

import "github.com/spf13/cobra"

// commands lists the verbs.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.reproCommand(),
	}
}

package cmd

import "github.com/spf13/cobra"

// commands lists the verbs.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.addCommand(),
		a.cacheCommand(),
		a.checkIgnoreCommand(),
		a.checkoutCommand(),
		a.commitCommand(),
		a.configCommand(),
		a.dagCommand(),
		a.dataCommand(),
		a.diffCommand(),
		a.doctorCommand(),
		a.duCommand(),
		a.explainCommand(),
		a.fetchCommand(),
		a.freezeCommand(),
		a.gcCommand(),
		a.gitHookCommand(),
		a.initCommand(),
		a.installCommand(),
		a.logCommand(),
		a.lsCommand(),
		a.metricsCommand(),
		a.mlflowCommand(),
		a.modelCommand(),
		a.moveCommand(),
		a.paramsCommand(),
		a.plotsCommand(),
		a.predictCommand(),
		a.pullCommand(),
		a.pushCommand(),
		a.remoteCommand(),
		a.removeCommand(),
		a.reproCommand(),
		a.rootDirCommand(),
		a.runsCommand(),
		a.serveCommand(),
		a.stageCommand(),
		a.statusCommand(),
		a.unfreezeCommand(),
		a.unprotectCommand(),
		a.versionCommand(),
	}
}

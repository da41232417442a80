package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	api "github.com/daytonaio/daytona/libs/api-client-go"
	toolbox "github.com/daytonaio/daytona/libs/toolbox-api-client-go"
)

func run(ctx context.Context, tools *toolbox.APIClient, command string) string {
	answer, _, err := tools.ProcessAPI.ExecuteCommand(ctx).Request(*toolbox.NewExecuteRequest(command)).Execute()
	check("exec "+command, err == nil, err)
	if err != nil {
		return ""
	}
	return answer.Result
}

func sessionLogs(ctx context.Context, tools *toolbox.APIClient) {
	request := toolbox.NewSessionExecuteRequest("read line; echo got $line")
	request.SetRunAsync(true)
	request.SetSuppressInputEcho(true)
	started, _, err := tools.ProcessAPI.SessionExecuteCommand(ctx, "s").Request(*request).Execute()
	check("async command", err == nil, err)
	if err != nil {
		return
	}
	_, err = tools.ProcessAPI.SendInput(ctx, "s", started.CmdId).Request(*toolbox.NewSessionSendInputRequest("me")).Execute()
	check("input", err == nil, err)
	var code *int32
	for i := 0; i < 600 && code == nil; i++ {
		command, _, err := tools.ProcessAPI.GetSessionCommand(ctx, "s", started.CmdId).Execute()
		check("command", err == nil, err)
		if err == nil && command.HasExitCode() {
			code = command.ExitCode
		}
		time.Sleep(50 * time.Millisecond)
	}
	logs, _, err := tools.ProcessAPI.GetSessionCommandLogs(ctx, "s", started.CmdId).Execute()
	check("logs", err == nil && logs.GetStdout() == "got me\n" && code != nil && *code == 0, err)
	list, _, err := tools.ProcessAPI.ListSessions(ctx).Execute()
	check("sessions", err == nil && len(list) == 1 && len(list[0].Commands) == 2, err)
}

func terminals(ctx context.Context, tools *toolbox.APIClient) {
	request := toolbox.NewPtyCreateRequest()
	request.SetId("t")
	request.SetLazyStart(true)
	request.SetCols(90)
	made, _, err := tools.ProcessAPI.CreatePtySession(ctx).Request(*request).Execute()
	check("terminal", err == nil && made.SessionId == "t", err)
	info, _, err := tools.ProcessAPI.GetPtySession(ctx, "t").Execute()
	check("terminal's info", err == nil && info.Cols == 90 && info.LazyStart && !info.Active, err)
	info, _, err = tools.ProcessAPI.ResizePtySession(ctx, "t").Request(*toolbox.NewPtyResizeRequest(100, 30)).Execute()
	check("resize", err == nil && info.Rows == 30, err)
	list, _, err := tools.ProcessAPI.ListPtySessions(ctx).Execute()
	check("terminals", err == nil && list != nil, err)
	_, response, err := tools.ProcessAPI.GetPtySession(ctx, "nope").Execute()
	check("unknown terminal is 404", err != nil && response != nil && response.StatusCode == 404, err)
}

func interpreters(ctx context.Context, tools *toolbox.APIClient) {
	made, _, err := tools.InterpreterAPI.CreateInterpreterContext(ctx).Request(*toolbox.NewCreateContextRequest()).Execute()
	check("interpreter context", err == nil && made.Language == "python", err)
	list, _, err := tools.InterpreterAPI.ListInterpreterContexts(ctx).Execute()
	check("interpreter contexts", err == nil && len(list.Contexts) == 1 && list.Contexts[0].Id == made.Id, err)
}

func repository(ctx context.Context, tools *toolbox.APIClient) {
	run(ctx, tools, "git init -q -b main r && echo x > r/f")
	status, _, err := tools.GitAPI.GetStatus(ctx).Path("r").Execute()
	check("status", err == nil && len(status.FileStatus) == 1 && status.FileStatus[0].Name == "f", err)
	_, err = tools.GitAPI.AddFiles(ctx).Request(*toolbox.NewGitAddRequest([]string{"f"}, "r")).Execute()
	check("add", err == nil, err)
	made, _, err := tools.GitAPI.CommitChanges(ctx).Request(*toolbox.NewGitCommitRequest("Ada", "ada@example.com", "work", "r")).Execute()
	check("commit", err == nil && len(made.Hash) == 40, err)
	history, _, err := tools.GitAPI.GetCommitHistory(ctx).Path("r").Execute()
	check("history", err == nil && len(history) == 1 && history[0].Author == "Ada", err)
	_, err = tools.GitAPI.CreateBranch(ctx).Request(*toolbox.NewGitBranchRequest("side", "r")).Execute()
	check("branch", err == nil, err)
	branches, _, err := tools.GitAPI.ListBranches(ctx).Path("r").Execute()
	check("branches", err == nil && len(branches.Branches) == 2, err)
	_, err = tools.GitAPI.CloneRepository(ctx).Request(*toolbox.NewGitCloneRequest("c", "http://127.0.0.1:1/r.git")).Execute()
	check("clone from nowhere fails", err != nil)
}

func languages(ctx context.Context, tools *toolbox.APIClient) {
	run(ctx, tools, "mkdir -p p && printf 'class Greeter:\\n    def greet(self): pass\\n\\nGreeter().gr\\n' > p/main.py")
	project, uri := "/home/daytona/p", "file:///home/daytona/p/main.py"
	_, err := tools.LspAPI.Start(ctx).Request(*toolbox.NewLspServerRequest("python", project)).Execute()
	check("language server", err == nil, err)
	_, err = tools.LspAPI.DidOpen(ctx).Request(*toolbox.NewLspDocumentRequest("python", project, uri)).Execute()
	check("did open", err == nil, err)
	params := toolbox.NewLspCompletionParams("python", project, *toolbox.NewLspPosition(12, 3), uri)
	completions, _, err := tools.LspAPI.Completions(ctx).Request(*params).Execute()
	check("completions", err == nil && len(completions.Items) > 0, err)
	symbols, _, err := tools.LspAPI.DocumentSymbols(ctx).LanguageId("python").PathToProject(project).Uri(uri).Execute()
	check("symbols", err == nil && len(symbols) >= 2, err)
	_, err = tools.LspAPI.Stop(ctx).Request(*toolbox.NewLspServerRequest("python", project)).Execute()
	check("stop", err == nil, err)
}

func ports(ctx context.Context, tools *toolbox.APIClient) {
	run(ctx, tools, "(setsid python3 -m http.server 8123 >/dev/null 2>&1 &)")
	used := false
	for i := 0; i < 200 && !used; i++ {
		answer, _, err := tools.PortAPI.IsPortInUse(ctx, 8123).Execute()
		check("port in use", err == nil, err)
		used = err == nil && answer.GetIsInUse()
		time.Sleep(50 * time.Millisecond)
	}
	list, _, err := tools.PortAPI.GetPorts(ctx).Execute()
	check("ports", err == nil && used && len(list.Ports) == 1 && list.Ports[0] == 8123, fmt.Sprint(err, list))
}

// The calls from before there was a proxy, through the control plane.
func throughControl(ctx context.Context, client *api.APIClient, box string) {
	old := client.ToolboxAPI
	directory, _, err := old.GetProjectDirDeprecated(ctx, box).Execute()
	check("old project dir", err == nil && directory.GetDir() == "/home/daytona", err)
	ran, _, err := old.ExecuteCommandDeprecated(ctx, box).ExecuteRequest(*api.NewExecuteRequest("echo old; exit 3")).Execute()
	check("old exec", err == nil && ran.Result == "old\n" && ran.ExitCode == 3, err)
	list, _, err := old.ListFilesDeprecated(ctx, box).Path("/tmp/dir").Execute()
	check("old list", err == nil && len(list) == 1 && list[0].Name == "a.txt", err)
	status, _, err := old.GitGetStatusDeprecated(ctx, box).Path("r").Execute()
	check("old status", err == nil && status.CurrentBranch == "side", err) // made branches are checked out
	sessions, _, err := old.ListSessionsDeprecated(ctx, box).Execute()
	check("old sessions", err == nil && len(sessions) == 1, err)
	terminals, _, err := old.ListPTYSessionsDeprecated(ctx, box).Execute()
	check("old terminals", err == nil && terminals != nil, err)
	_, response, err := old.GetFileInfoDeprecated(ctx, box).Path("/nope").Execute()
	check("old missing file is 404", err != nil && response != nil && response.StatusCode == http.StatusNotFound, err)
}

func wholeToolbox(ctx context.Context, client *api.APIClient, tools *toolbox.APIClient, box string) {
	sessionLogs(ctx, tools)
	terminals(ctx, tools)
	interpreters(ctx, tools)
	repository(ctx, tools)
	languages(ctx, tools)
	ports(ctx, tools)
	throughControl(ctx, client, box)
}

// A user's day with the official generated Go clients, whose decoders are strict.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	api "github.com/daytonaio/daytona/libs/api-client-go"
	toolbox "github.com/daytonaio/daytona/libs/toolbox-api-client-go"
)

var failed, passed int

func check(what string, good bool, detail ...any) {
	if good {
		passed++
		return
	}
	failed++
	fmt.Println("FAILED:", what, fmt.Sprint(detail...))
}

func must[T any](what string, value T, err error) T {
	if err != nil {
		fmt.Println("FAILED:", what, err)
		os.Exit(1)
	}
	return value
}

func apiClient(key string) *api.APIClient {
	configuration := api.NewConfiguration()
	configuration.Servers = api.ServerConfigurations{{URL: os.Getenv("SEBRING_URL") + "/api"}}
	configuration.AddDefaultHeader("Authorization", "Bearer "+key)
	configuration.AddDefaultHeader("X-Daytona-Source", "sdk-go")
	configuration.AddDefaultHeader("X-Daytona-SDK-Version", "v0.190.0")
	return api.NewAPIClient(configuration)
}

func toolboxClient(sandbox *api.Sandbox, key string) *toolbox.APIClient {
	configuration := toolbox.NewConfiguration()
	configuration.Servers = toolbox.ServerConfigurations{{URL: sandbox.ToolboxProxyUrl + "/" + sandbox.Id}}
	configuration.AddDefaultHeader("Authorization", "Bearer "+key)
	configuration.AddDefaultHeader("X-Daytona-Source", "sdk-go")
	configuration.AddDefaultHeader("X-Daytona-SDK-Version", "v0.190.0")
	return toolbox.NewAPIClient(configuration)
}

func files(ctx context.Context, tools *toolbox.APIClient) {
	local, err := os.CreateTemp("", "story")
	must("temporary file", local, err)
	defer os.Remove(local.Name())
	local.WriteString("hello world\n")
	local.Seek(0, io.SeekStart)
	_, _, err = tools.FileSystemAPI.UploadFile(ctx).Path("/tmp/dir/a.txt").File(local).Execute()
	check("upload", err == nil, err)
	down, _, err := tools.FileSystemAPI.DownloadFile(ctx).Path("/tmp/dir/a.txt").Execute()
	check("download", err == nil, err)
	if err == nil {
		bytes, _ := io.ReadAll(down)
		check("same bytes", string(bytes) == "hello world\n", string(bytes))
	}
	list, _, err := tools.FileSystemAPI.ListFiles(ctx).Path("/tmp/dir").Execute()
	check("list", err == nil && len(list) == 1 && list[0].Name == "a.txt", err)
	info, _, err := tools.FileSystemAPI.GetFileInfo(ctx).Path("/tmp/dir/a.txt").Execute()
	check("info", err == nil && info.Size == 12 && info.Permissions == "0644", err)
	found, _, err := tools.FileSystemAPI.FindInFiles(ctx).Path("/tmp/dir").Pattern("world").Execute()
	check("find", err == nil && len(found) == 1 && found[0].Line == 1, err)
	_, response, err := tools.FileSystemAPI.GetFileInfo(ctx).Path("/tmp/nope").Execute()
	check("missing file is 404", err != nil && response != nil && response.StatusCode == 404, err)
}

func main() {
	ctx := context.Background()
	key := os.Getenv("SEBRING_KEY")
	client := apiClient(key)
	body := api.NewCreateSandbox()
	body.SetLabels(map[string]string{"story": "go", "code-toolbox-language": "python"})
	body.SetEnv(map[string]string{"GREETING": "hello"})
	sandbox, _, err := client.SandboxAPI.CreateSandbox(ctx).CreateSandbox(*body).Execute()
	must("create", sandbox, err)
	check("started", sandbox.GetState() == api.SANDBOXSTATE_STARTED, sandbox.GetState())
	tools := toolboxClient(sandbox, key)

	exec := toolbox.NewExecuteRequest("echo $GREETING; pwd; exit 7")
	exec.SetCwd("/tmp")
	answer, _, err := tools.ProcessAPI.ExecuteCommand(ctx).Request(*exec).Execute()
	check("exec", err == nil && answer.GetExitCode() == 7 && answer.Result == "hello\n/tmp\n", err)
	run, _, err := tools.ProcessAPI.CodeRun(ctx).Request(*toolbox.NewCodeRunRequest("print(6*7)", "python")).Execute()
	check("code run", err == nil && run.GetResult() == "42\n", err)
	home, _, err := tools.InfoAPI.GetUserHomeDir(ctx).Execute()
	check("home", err == nil && home.Dir == "/home/daytona", err)
	files(ctx, tools)

	_, err = tools.ProcessAPI.CreateSession(ctx).Request(*toolbox.NewCreateSessionRequest("s")).Execute()
	check("session", err == nil, err)
	inSession, _, err := tools.ProcessAPI.SessionExecuteCommand(ctx, "s").Request(*toolbox.NewSessionExecuteRequest("echo out; echo err >&2")).Execute()
	check("session exec", err == nil && inSession.GetStdout() == "out\n" && inSession.GetStderr() == "err\n", err)
	wholeToolbox(ctx, client, tools, sandbox.Id)

	listed, _, err := client.SandboxAPI.ListSandboxes(ctx).Labels(`{"story":"go"}`).Limit(5).Execute()
	check("list with labels", err == nil && len(listed.Items) == 1 && listed.Items[0].Id == sandbox.Id, err)
	pages, _, err := client.SandboxAPI.ListSandboxesPaginatedDeprecated(ctx).Labels(`{"story":"go"}`).Execute()
	check("paginated", err == nil && len(pages.Items) == 1, err)
	snapshots, _, err := client.SnapshotsAPI.GetAllSnapshots(ctx).Execute()
	check("snapshots", err == nil && len(snapshots.Items) >= 3, err)
	_, _, err = client.ConfigAPI.ConfigControllerGetConfig(ctx).Execute()
	check("config", err == nil, err)

	_, _, err = client.SandboxAPI.StopSandbox(ctx, sandbox.Id).Execute()
	check("stop", err == nil, err)
	stopped, _, err := client.SandboxAPI.GetSandbox(ctx, sandbox.Id).Execute()
	check("stopped", err == nil && strings.HasPrefix(string(stopped.GetState()), "stop"), err)
	started, _, err := client.SandboxAPI.StartSandbox(ctx, sandbox.Id).Execute()
	check("start", err == nil && started.GetState() == api.SANDBOXSTATE_STARTED, err)
	_, _, err = tools.FileSystemAPI.GetFileInfo(ctx).Path("/home/daytona").Execute()
	check("reachable again", err == nil, err)

	_, response, err := client.SandboxAPI.GetSandbox(ctx, "nobody").Execute()
	check("unknown sandbox is 404", err != nil && response.StatusCode == 404, err)
	_, response, err = apiClient("dtn_wrong").SandboxAPI.ListSandboxes(ctx).Execute()
	check("wrong key is 401", err != nil && response.StatusCode == 401, err)
	_, _, err = client.SandboxAPI.DeleteSandbox(ctx, sandbox.Id).Execute()
	check("delete", err == nil, err)
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

"""Products that bring their own use of the official Python SDK: backends and tools of agent frameworks."""

import io
import os
import unittest

os.environ["DAYTONA_API_URL"] = os.environ["SEBRING_URL"] + "/api"
os.environ["DAYTONA_API_KEY"] = os.environ["SEBRING_KEY"]

from agno.tools.daytona import DaytonaTools  # noqa: E402
from daytona import Daytona  # noqa: E402
from langchain_daytona import DaytonaSandbox  # noqa: E402
from langchain_daytona_data_analysis import DaytonaDataAnalysisTool  # noqa: E402


class Products(unittest.TestCase):
    def test_deep_agents_backend(self):
        sandbox = Daytona().create()
        self.addCleanup(sandbox.delete)
        backend = DaytonaSandbox(sandbox=sandbox)
        answer = backend.execute("echo hi; echo err >&2; exit 3")
        self.assertEqual((answer.output, answer.exit_code), ("hi\n\n<stderr>err</stderr>", 3))
        self.assertIsNone(backend.write("/home/daytona/x.py", "print('hello')\n").error)
        self.assertEqual(backend.edit("/home/daytona/x.py", "hello", "bye").occurrences, 1)
        self.assertEqual(backend.read("/home/daytona/x.py").file_data["content"].rstrip(), "print('bye')")
        self.assertIn("/home/daytona/x.py", [one["path"] for one in backend.ls("/home/daytona").entries])
        self.assertEqual(backend.grep("bye", "/home/daytona").matches[0]["line"], 1)
        backend.upload_files([("/tmp/u", b"\0\1")])
        found = backend.download_files(["/tmp/u", "/tmp/none"])
        self.assertEqual([(one.content, one.error) for one in found], [(b"\0\1", None), (None, "file_not_found")])

    def test_data_analysis_tool(self):
        tool = DaytonaDataAnalysisTool()
        self.addCleanup(tool.close)
        table = io.BytesIO(b"a,b\n1,2\n3,4\n")
        table.name = "t.csv"
        path = tool.upload_file(table, "a table").remote_path
        made = tool.invoke({"data_analysis_python_code": f"import pandas as pd\nprint(pd.read_csv('{path}').a.sum())\n"
                                                         "import matplotlib.pyplot as plt\nplt.bar(['x'], [1])\nplt.show()"})
        self.assertTrue(made.stdout.startswith("4\n"), made.stdout)
        self.assertEqual([str(chart.type) for chart in made.charts], ["bar"])

    def test_tools_of_agno(self):
        tools = DaytonaTools()

        class Agent:
            session_state = {}

        agent = Agent()
        self.assertEqual(tools.run_code(agent, "print(6 * 7)").strip(), "42")
        self.assertIn("q.txt", tools.create_file(agent, "q.txt", "hey"))
        self.assertEqual(tools.read_file(agent, "q.txt").strip(), "hey")
        self.assertIn("q.txt", tools.list_files(agent, "."))
        tools.change_directory(agent, "/tmp")
        self.assertEqual(tools.run_shell_command(agent, "pwd").strip(), "/tmp")
        Daytona().get(agent.session_state["sandbox_id"]).delete()


if __name__ == "__main__":
    unittest.main()

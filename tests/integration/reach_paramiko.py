"""Paramiko against the SSH gateway: reach_paramiko.py PORT TOKEN PORT-OF-THE-APPLICATION. Prints "all good"."""

import hashlib
import os
import sys

import paramiko


def connect(port, token, **more):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", port, username=token, look_for_keys=False, allow_agent=False, timeout=30, **more)
    return client


def by_none(port, token):
    transport = paramiko.Transport(("127.0.0.1", port))
    transport.connect()
    transport.auth_none(token)
    return transport


def main():
    port, token, inside = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    transport = by_none(port, token)
    channel = transport.open_session()
    channel.exec_command("cat; exit 5")
    channel.sendall(b"typed")
    channel.shutdown_write()
    assert channel.recv(100) == b"typed"
    assert channel.recv_exit_status() == 5
    transport.close()

    client = connect(port, token, password="")
    shell = client.invoke_shell(width=91, height=33)
    shell.sendall("stty size; exit 3\n")
    seen = b""
    while piece := shell.recv(1000):
        seen += piece
    assert b"33 91" in seen, seen
    assert shell.recv_exit_status() == 3

    sftp = client.open_sftp()
    data = os.urandom(3_000_000)
    with sftp.open("paramiko.bin", "wb") as file:
        file.set_pipelined(True)
        file.write(data)
    with sftp.open("paramiko.bin", "rb") as file:
        file.prefetch()
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()
    assert sftp.stat("paramiko.bin").st_size == len(data)
    sftp.remove("paramiko.bin")
    try:
        sftp.stat("paramiko.bin")
        raise AssertionError("still there")
    except FileNotFoundError:
        pass

    tunnel = client.get_transport().open_channel("direct-tcpip", ("localhost", inside), ("127.0.0.1", 1))
    tunnel.sendall(b"GET /tunnel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    seen = b""
    while piece := tunnel.recv(10_000):
        seen += piece
    assert b'"target": "/tunnel"' in seen, seen
    for host in ("169.254.169.254", "10.0.0.1"):
        try:
            client.get_transport().open_channel("direct-tcpip", (host, 80), ("127.0.0.1", 1))
            raise AssertionError(host)
        except paramiko.ChannelException:
            pass
    client.close()
    try:
        by_none(port, "wrong" * 6)  # one wrong guess costs its sender a second, no more
        raise AssertionError("let in")
    except paramiko.SSHException:
        pass
    print("all good")


main()

# A connection to another program.
import socket

with socket.create_connection(("127.0.0.1", PORT), timeout=1) as connection:
    connection.sendall(b"canary-sent")
    print("canary-of-the-network")

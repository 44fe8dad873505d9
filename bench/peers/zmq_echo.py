"""What pyzmq makes of an endpoint: a ROUTER that gives back what it gets. Usage: zmq_echo.py; prints its port."""
import zmq

socket = zmq.Context().socket(zmq.ROUTER)
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
while True:
    socket.send_multipart(socket.recv_multipart())

"""A Flask application under limits: a view that hangs is a 504 on time, and the next request is served.

`gunicorn --threads 4 flask_app:app` serves it; here Flask's own test client asks it.
"""

import time

from flask import Flask

from timeouts import ExecutionTimeout, GatewayTimeout, QueueTimeout, remaining

app = Flask(__name__)


@app.get("/predict/<float:seconds>")
def predict(seconds: float) -> str:
    time.sleep(seconds)
    return f"a label, with {remaining():.1f} s left"


@app.get("/live")
def live() -> str:
    return "alive"


limits = GatewayTimeout(30) | QueueTimeout(0.3) | ExecutionTimeout(0.6)
limits.apply(app, slots=1, routes={"/live": None})


def show(path: str) -> None:
    began = time.monotonic()
    answer = app.test_client().get(path)
    took = time.monotonic() - began
    told = (answer.json or {}).get("detail", answer.text)
    print(f"{path} {took:.1f} s: {answer.status_code} {told}")


def main() -> None:
    show("/predict/0.0")
    show("/predict/2.5")  # its thread cannot be stopped, and keeps the only slot until it ends
    show("/predict/0.0")
    show("/live")
    while app.extensions["timeouts"].stats().abandoned:
        time.sleep(0.1)
    show("/predict/0.0")


if __name__ == "__main__":
    main()

# prints:
#   /predict/0.0 ... s: 200 a label, with 0... s left
#   /predict/2.5 ... s: 504 ran for ... s; ExecutionTimeout allows 0.6 s
#   /predict/0.0 ... s: 503 waited ... s in the queue; QueueTimeout allows 0.3 s
#   /live ... s: 200 alive
#   /predict/0.0 ... s: 200 a label, with 0... s left

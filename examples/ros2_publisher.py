"""Publish live tracks to a ROS 2 topic: a std_msgs/String of JSON a frame (locoexport.live/1).

    locoexport live --camera 0 --jsonl - | python examples/ros2_publisher.py --topic /tracks

It needs rclpy and std_msgs of a sourced ROS 2 (Humble or later). Its quality of service is that of
sensor data: a slow subscriber misses answers, and is sent none late.
"""

from __future__ import annotations

import argparse
import json
import sys


def main() -> None:
    """Until stdin ends, or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topic", default="/locoexport/tracks")
    parser.add_argument("--visible-only", action="store_true", help="Leave hidden points out.")
    arguments = parser.parse_args()

    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import String

    rclpy.init()
    node = rclpy.create_node("locoexport_tracks")
    publisher = node.create_publisher(String, arguments.topic, qos_profile_sensor_data)
    try:
        for line in sys.stdin:
            answer = json.loads(line)
            if arguments.visible_only:
                shown = [i for i, visible in enumerate(answer["visible"]) if visible]
                for name in ("ids", "xy", "visible", "confidence"):
                    answer[name] = [answer[name][i] for i in shown]
            publisher.publish(String(data=json.dumps(answer)))
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()

"""The rules of mehdy/keepalived-exporter, internal/collector/parser.go."""
import json
import sys

STATES = ["INIT", "BACKUP", "MASTER", "FAULT"]


def version():
    text = sys.stdin.read()
    first = text.split("\n")[0].split(" ")[1][1:]
    print("a version:", tuple(int(n) for n in first.split(".")) >= (2, 0, 3))
    print("json:", "--enable-json" in text)


def key_value(line):
    for separator in "=", ":":
        if separator in line:
            key, value = line.split(separator, 1)
            return key.strip(), value.strip()
    return line.strip(), ""


def data():
    instances, scripts, one, listed = [], [], None, None
    for line in open("/tmp/keepalived.data"):
        line = line.rstrip("\n")
        if line.startswith(" VRRP Instance") and "=" in line:
            one, listed = {"name": key_value(line)[1], "vips": [], "evips": []}, None
            instances.append(one)
        elif line.startswith(" VRRP Script") and "=" in line:
            one, listed = {"script": key_value(line)[1]}, None
            scripts.append(one)
        elif one is not None and line.startswith("     "):
            if listed is not None:
                fields = line.strip().split(" ")
                if len(fields) < 3:
                    sys.exit("an address with less than three words: " + line)
                listed.append((fields[0], fields[2]))
        elif one is not None and line.startswith("   "):
            key, value = key_value(line)
            listed = None
            if key in ("State", "Wantstate") and "name" in one:
                if value not in STATES:
                    sys.exit("unknown state " + value)
                one[key] = value
            elif key in ("Interface", "Listening device"):
                one["interface"] = value
            elif key in ("Gratuitous ARP delay", "Virtual Router ID"):
                one[key] = int(value)
            elif key.startswith("Virtual IP Excluded"):
                listed = one.get("evips")
            elif key.startswith("Virtual IP"):
                listed = one.get("vips")
            elif key == "Status" and "script" in one:
                one[key] = value
            elif key == "State" and "script" in one and value not in ("idle", "running"):
                sys.exit("unknown state of a script " + value)
        elif line.startswith((" VRRP Version", " VRRP Script")):
            pass
        else:
            one = listed = None
    return instances, scripts


def stats():
    found, section = [], ""
    for line in open("/tmp/keepalived.stats"):
        line = line.rstrip("\n")
        if line.startswith("VRRP Instance"):
            found.append({"name": key_value(line)[1]})
        elif line.startswith("    "):
            key, value = key_value(line)
            found[-1][section + "/" + key] = int(value)
        elif line.startswith("  ") and line.endswith(":"):
            section = line.strip(" :")
        elif line.startswith("  "):
            key, value = key_value(line)
            found[-1][key] = int(value)
    return found


def text():
    instances, scripts = data()
    for i in instances:
        print(i)
    print(scripts)
    counted = stats()
    print("as many:", len(counted) == len(instances))
    for s in counted:
        print(s["name"], sorted(s), "master:", s["Became master"])


def from_json():
    for i in json.load(open("/tmp/keepalived.json")):
        d, s = i["data"], i["stats"]
        print(d["iname"], d["ifp_ifname"], d["vrid"], STATES[d["state"]], STATES[d["wantstate"]], d["garp_delay"], d["vips"], d.get("evips"))
        print(isinstance(d["last_transition"], float), s["become_master"], sorted(k for k in s if not k.startswith("auth_ext_")))


{"version": version, "text": text, "json": from_json}[sys.argv[1]]()

"""The same work in the languages of the peers: promises, manifests, plays. Each as its manual writes it, and as fast."""

import json
from pathlib import Path

CFENGINE, PUPPET, ANSIBLE = "cfengine", "puppet", "ansible"
# Whose dry run shows how a file would differ.
SHOWS = (CFENGINE, PUPPET, ANSIBLE)

HEAD = """body common control { bundlesequence => { "bench" }; }
body perms mode { mode => "644"; }
body edit_defaults plain { edit_backup => "false"; }
body contain shell { useshell => "noshell"; }
bundle agent bench {
"""
PLAY = "- hosts: localhost\n  gather_facts: false\n"


class Inputs:
    """Their input files, below one folder."""

    def __init__(self, folder):
        self.folder = folder / "peers"
        self.folder.mkdir(parents=True)

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    def live(self, cf, pp, yml):
        return {CFENGINE: ["cf-agent", "-K", "-f", cf],
                PUPPET: ["puppet", "apply", "--color=false", pp],
                ANSIBLE: ["ansible-playbook", "-c", "local", "-i", "localhost,", yml]}

    def dry(self, cf, pp, yml):
        return {CFENGINE: ["cf-agent", "-K", "--simulate=diff", "-f", cf],
                PUPPET: ["puppet", "apply", "--color=false", "--noop", "--show_diff", pp],
                ANSIBLE: ["ansible-playbook", "-c", "local", "-i", "localhost,", "--check", "--diff", yml]}

    def nothing(self):
        cf = self.put("nothing.cf", HEAD + "}\n")
        return self.live(cf, self.put("nothing.pp", ""), self.put("nothing.yml", PLAY + "  tasks: []\n"))

    def example(self):
        cf = self.put("example.cf", HEAD + """
  commands: "/bin/echo Hello, disco"; "/usr/sbin/service postgresql stop";
  files: "/etc/othermodule/." create => "true";
    "/etc/othermodule/stuff.cfg" create => "true", perms => mode, edit_defaults => plain,
      edit_template => "$(this.promise_dirname)/stuff.tmpl";
}
""")
        self.put("stuff.tmpl", "HOST=$(sys.fqhost)\nKEY_VALUE=LOLTHISKEYMEANSNOTHING\n")
        pp = self.put("example.pp", """
exec { '/bin/echo Hello, disco': }
-> service { 'postgresql': ensure => stopped, provider => init, hasstatus => false, pattern => 'postgresql' }
-> file { '/etc/othermodule': ensure => directory }
-> file { '/etc/othermodule/stuff.cfg':
  content => "HOST=${facts['networking']['fqdn']}\\nKEY_VALUE=LOLTHISKEYMEANSNOTHING\\n",
}
""")
        self.put("stuff.j2", "HOST={{ ansible_host }}\nKEY_VALUE=LOLTHISKEYMEANSNOTHING\n")
        yml = self.put("example.yml", PLAY + """  tasks:
  - command: echo Hello, disco
  - command: service postgresql stop
  - file: {path: /etc/othermodule, state: directory}
  - template: {src: stuff.j2, dest: /etc/othermodule/stuff.cfg, mode: '644'}
""")
        return self.dry(cf, pp, yml)

    def scripts(self, scripts):
        cf = "".join(f'  commands: "/bin/bash {script}";\n' for script in scripts)
        pp = "".join(f"exec {{ '/bin/bash {script}': }}\n" for script in scripts)
        yml = "".join(f"  - command: bash {script}\n" for script in scripts)
        return self.live(self.put("scripts.cf", HEAD + cf + "}\n"), self.put("scripts.pp", pp),
                         self.put("scripts.yml", PLAY + "  tasks:\n" + yml))

    def templates(self, out, text, size):
        """The command line of each tool for each phase."""
        sources = Path(self.folder / "templates")
        for number in range(size):
            values = {"cf": ("$(bench.name)", "$(bench.port)"), "epp": ("<%= $name %>", "<%= $port %>"),
                      "j2": ("{{ site }}", "{{ listen }}")}
            for language, (name, port) in values.items():
                self.put(f"templates/{number}.{language}", text.format(name=name, port=port, number=number))
        cf = self.put("templates.cf", HEAD + f"""
  vars: "name" string => "web"; "port" string => "8080"; "n" slist => expandrange("[0-{size - 1}]", 1);
  files: "{out(CFENGINE)}/$(n).conf" create => "true", perms => mode, edit_defaults => plain,
    edit_template => "{sources}/$(n).cf";
}}
""")
        pp = self.put("templates.pp", f"""
Integer[0, {size - 1}].each |$n| {{
  file {{ "{out(PUPPET)}/${{n}}.conf": content => epp("{sources}/${{n}}.epp", {{name => 'web', port => 8080}}) }}
}}
""")
        yml = self.put("templates.yml", PLAY + f"""  vars: {json.dumps({"site": "web", "listen": 8080})}
  tasks:
  - template: {{src: "{sources}/{{{{ item }}}}.j2", dest: "{out(ANSIBLE)}/{{{{ item }}}}.conf", mode: '644'}}
    loop: "{{{{ range(0, {size}) | list }}}}"
""")
        live, dry = self.live(cf, pp, yml), self.dry(cf, pp, yml)
        return {"first": live, "again": live, "noop": dry}

"""``belongings settings``"""

from entrypoints.cli.output import load_container, out


def settings() -> None:
    """List all settings with their values, defaults and descriptions."""
    from entrypoints.settings import Settings, variable

    container = load_container()
    for name, field in Settings.model_fields.items():
        hidden = name == "database_url"
        value = container.store().label if hidden else getattr(container.settings(), name)
        default = field.default.get_secret_value() if hidden else field.default
        if isinstance(value, tuple):
            value = " ".join(map(str, value))
        out.print(f"{variable(name)}={value}  (default: {default})")
        out.print(f"    {field.description}")

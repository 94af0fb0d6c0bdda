from django.apps import AppConfig


class HoopwebConfig(AppConfig):
    name = "hoopweb"
    verbose_name = "Hoopweb"

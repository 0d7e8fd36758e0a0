import { createApp } from "vue";

import App from "./App.vue";
import { router } from "./router";
import { followSystemTheme } from "./theme";
import "./styles/app.scss";

followSystemTheme();
createApp(App).use(router).mount("#app");

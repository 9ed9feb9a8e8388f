plugins {
    alias(libs.plugins.android.library)
    `maven-publish`
}

group = "org.mobilesr"
version = libs.versions.version.name.get()

android {
    namespace = "org.mobilesr"
    compileSdk = libs.versions.target.sdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.min.sdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    // Sources of a flavor: src/litert, src/classic
    flavorDimensions += "runtime"
    productFlavors {
        create("litert") {
            dimension = "runtime"
            isDefault = true
        }
        create("classic") { dimension = "runtime" }
    }

    // Kept out of compression, so that it lies in the archive as it is.
    androidResources { noCompress += "tflite" }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    publishing {
        singleVariant("litertRelease") { withSourcesJar() }
    }
}

kotlin {
    explicitApi()
}

dependencies {
    api(project(":core"))
    api(libs.coroutines.android)
    "litertImplementation"(libs.litert)
    "litertImplementation"(libs.litert.gpu)
    "classicImplementation"(libs.tflite)
    "classicImplementation"(libs.tflite.api)
    "classicImplementation"(libs.tflite.gpu)
    "classicImplementation"(libs.tflite.gpu.api)
    androidTestImplementation(libs.junit)
    androidTestImplementation(libs.androidx.test.runner)
}

publishing {
    publications {
        create<MavenPublication>("release") {
            artifactId = "mobilesr-android"
            afterEvaluate { from(components["litertRelease"]) }
        }
    }
}
